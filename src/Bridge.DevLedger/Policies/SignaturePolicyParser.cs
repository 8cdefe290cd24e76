using Bridge.Ledger.Protocol;
using Google.Protobuf;

namespace Bridge.DevLedger.Policies;

/// <summary>
/// Reads Fabric's policy strings: <c>AND('A.peer', OR('B.member', OutOf(2, 'C.client', …)))</c>. Gates in any of the three spellings
/// that Fabric takes; principals in single or double quotes, <c>MSP.role</c>.
/// </summary>
internal sealed class SignaturePolicyParser
{
    private readonly string text;
    private readonly SignaturePolicyEnvelope envelope = new();
    private int at;

    private SignaturePolicyParser(string text) => this.text = text;

    /// <exception cref="FormatException">The text is no policy; the message says where and what was expected.</exception>
    public static SignaturePolicyEnvelope Parse(string text)
    {
        var parser = new SignaturePolicyParser(text);
        parser.envelope.Rule = parser.Gate();
        parser.Blank();
        if (parser.at < text.Length)
            throw parser.Fault("nothing may follow the outermost gate");
        return parser.envelope;
    }

    private SignaturePolicy Gate()
    {
        Blank();
        var start = at;
        while (at < text.Length && char.IsAsciiLetter(text[at]))
            at++;
        switch (text[start..at])
        {
            case "And" or "and" or "AND":
                Expect('(');
                var all = Rules();
                return NOutOf(all.Count, all);
            case "Or" or "or" or "OR":
                Expect('(');
                return NOutOf(1, Rules());
            case "OutOf" or "outof" or "OUTOF":
                Expect('(');
                var n = Number();
                Expect(',');
                var rules = Rules();
                return n <= rules.Count + 1
                    ? NOutOf(n, rules)
                    : throw Fault($"invalid t-out-of-n predicate, t {n}, n {rules.Count}");
            default:
                at = start;
                throw Fault("a gate And, Or or OutOf was expected");
        }
    }

    private List<SignaturePolicy> Rules()
    {
        var rules = new List<SignaturePolicy>();
        while (true)
        {
            Blank();
            rules.Add(at < text.Length && text[at] is '\'' or '"' ? Principal() : Gate());
            Blank();
            if (at < text.Length && text[at] == ',')
            {
                at++;
                continue;
            }

            Expect(')');
            return rules;
        }
    }

    private SignaturePolicy Principal()
    {
        var quote = text[at++];
        var end = text.IndexOf(quote, at);
        if (end < 0)
            throw Fault("the principal's closing quote is missing");
        var principal = text[at..end];
        var dot = principal.LastIndexOf('.');
        var role = dot < 1
            ? null
            : principal[(dot + 1)..] switch
            {
                "member" => MSPRole.Types.MSPRoleType.Member,
                "admin" => MSPRole.Types.MSPRoleType.Admin,
                "client" => MSPRole.Types.MSPRoleType.Client,
                "peer" => MSPRole.Types.MSPRoleType.Peer,
                "orderer" => (MSPRole.Types.MSPRoleType?)MSPRole.Types.MSPRoleType.Orderer,
                _ => null,
            };
        if (role is null || !principal[..dot].All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-'))
            throw Fault($"'{principal}' is no principal; write 'MSP.role' with role member, admin, client, peer or orderer");
        at = end + 1;
        envelope.Identities.Add(new MSPPrincipal
        {
            PrincipalClassification = MSPPrincipal.Types.Classification.Role,
            Principal = new MSPRole { MspIdentifier = principal[..dot], Role = role.Value }.ToByteString(),
        });
        return new SignaturePolicy { SignedBy = envelope.Identities.Count - 1 };
    }

    private int Number()
    {
        Blank();
        var start = at;
        while (at < text.Length && char.IsAsciiDigit(text[at]))
            at++;
        return int.TryParse(text[start..at], out var n) ? n : throw Fault("a number was expected");
    }

    private void Expect(char wanted)
    {
        Blank();
        if (at >= text.Length || text[at] != wanted)
            throw Fault($"'{wanted}' was expected");
        at++;
    }

    private void Blank()
    {
        while (at < text.Length && char.IsWhiteSpace(text[at]))
            at++;
    }

    private FormatException Fault(string what) => new($"policy \"{text}\", at character {at + 1}: {what}");

    private static SignaturePolicy NOutOf(int n, IEnumerable<SignaturePolicy> rules)
    {
        var gate = new SignaturePolicy { NOutOf = new SignaturePolicy.Types.NOutOf { N = n } };
        gate.NOutOf.Rules.AddRange(rules);
        return gate;
    }
}
