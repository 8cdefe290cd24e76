using System.Globalization;
using System.Text;
using Bridge.Records;

namespace Bridge.Ledger;

/// <content>Hospitals and doctors: endorsed by a majority of the hospitals.</content>
public sealed partial class SummaryLedger
{
    /// <summary>Founds the consortium with the very file that every organisation's contract process holds.</summary>
    public Task<LedgerReceipt> InitConsortiumAsync(string consortiumJson, CancellationToken cancellationToken = default) =>
        SubmitForReceiptAsync(UpdateFunction.InitConsortium, [consortiumJson], default, options.DirectoryEndorsers, cancellationToken);

    /// <summary>Proposes a new hospital, or a change of the caller's own.</summary>
    public Task<LedgerReceipt> ProposeHospitalAsync(string recordJson, CancellationToken cancellationToken = default) =>
        SubmitForReceiptAsync(UpdateFunction.ProposeHospital, [recordJson], default, options.DirectoryEndorsers, cancellationToken);

    /// <summary>Brings a registrar's approval of a proposal, or of the record in force.</summary>
    public async Task<(ApprovalResult Result, LedgerReceipt Receipt)> ApproveHospitalAsync(
        string hospital, long seq, string approvalJws, CancellationToken cancellationToken = default)
    {
        string[] arguments = [hospital, seq.ToString(CultureInfo.InvariantCulture), approvalJws];
        var (result, receipt) = await SubmitAsync(
            UpdateFunction.ApproveHospital, arguments, default, options.DirectoryEndorsers, cancellationToken);
        return (Result<ApprovalResult>(UpdateFunction.ApproveHospital, result), receipt);
    }

    /// <summary>Enters a doctor; she stays pending until confirmed.</summary>
    public Task<LedgerReceipt> ProposeDoctorAsync(string hospital, DoctorProposalSubmission doctor, CancellationToken cancellationToken = default)
    {
        var input = LedgerJson.Input(writer =>
        {
            writer.Write("handle", doctor.Doctor);
            writer.Write("certificate", doctor.Certificate);
            writer.Write("statement", doctor.Statement);
            writer.Write("salt", doctor.Salt);
            writer.Write("leafSalt", doctor.LeafSalt);
        });
        return SubmitForReceiptAsync(UpdateFunction.ProposeDoctor, [hospital], input, options.DirectoryEndorsers, cancellationToken);
    }

    /// <summary>Makes a pending doctor active.</summary>
    public Task<LedgerReceipt> ConfirmDoctorAsync(
        string hospital, DoctorConfirmationSubmission confirmation, CancellationToken cancellationToken = default)
    {
        var input = LedgerJson.Input(writer =>
        {
            writer.Write("handle", confirmation.Doctor);
            writer.Write("confirmation", confirmation.Confirmation);
            writer.Write("salt", confirmation.Salt);
        });
        return SubmitForReceiptAsync(UpdateFunction.ConfirmDoctor, [hospital], input, options.DirectoryEndorsers, cancellationToken);
    }

    /// <summary>Ends a doctor's certificate for good.</summary>
    public Task<LedgerReceipt> RevokeDoctorAsync(string hospital, DoctorRevocationSubmission revocation, CancellationToken cancellationToken = default)
    {
        var input = LedgerJson.Input(writer =>
        {
            writer.Write("handle", revocation.Doctor);
            writer.Write("revocation", revocation.Revocation);
            writer.Write("salt", revocation.Salt);
        });
        return SubmitForReceiptAsync(UpdateFunction.RevokeDoctor, [hospital], input, options.DirectoryEndorsers, cancellationToken);
    }

    /// <summary>Publishes the hospital's status list.</summary>
    /// <param name="hospital">MSP id.</param>
    /// <param name="statusJws">Compact JWS of the status key.</param>
    /// <param name="salt">Of the stored value.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public Task<LedgerReceipt> PublishStatusAsync(string hospital, string statusJws, Salt salt, CancellationToken cancellationToken = default)
    {
        var input = LedgerJson.Input(writer =>
        {
            writer.Write("status", statusJws);
            writer.Write("salt", salt);
        });
        return SubmitForReceiptAsync(UpdateFunction.PublishStatus, [hospital], input, options.DirectoryEndorsers, cancellationToken);
    }

    /// <summary>Who the consortium is.</summary>
    public Task<ConsortiumReading> ReadConsortiumAsync(CancellationToken cancellationToken = default) =>
        EvaluateAsync(ReadFunction.ReadConsortium, [], default, LedgerJson.Consortium, cancellationToken);

    /// <summary>A hospital's record in force and who approved it.</summary>
    public Task<HospitalReading> ReadHospitalAsync(string hospital, CancellationToken cancellationToken = default) =>
        EvaluateAsync(ReadFunction.ReadHospital, [hospital], default, LedgerJson.Hospital, cancellationToken);

    /// <summary>A doctor's record as it is now. It may change: anchor with a fresh reading.</summary>
    public async Task<DoctorRecord> ReadDoctorAsync(Handle doctor, CancellationToken cancellationToken = default)
    {
        var answer = await EvaluateAsync(
            ReadFunction.ReadDoctor, [], LedgerJson.Input(writer => writer.Write("handle", doctor)), cancellationToken);
        return LedgerJson.Read(nameof(ReadFunction.ReadDoctor), answer, _ => LedgerJson.Doctor(Encoding.UTF8.GetString(answer)));
    }

    /// <summary>A part of a hospital's doctors.</summary>
    /// <param name="hospital">MSP id.</param>
    /// <param name="after">Null for the first part, then what the part before says.</param>
    /// <param name="limit">1 to 200.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public Task<Page<DoctorRecord>> ListDoctorsAsync(
        string hospital, Handle? after = null, int limit = 200, CancellationToken cancellationToken = default) =>
        EvaluateAsync(
            ReadFunction.ListDoctors,
            [hospital],
            PageInput(after, limit),
            root => LedgerJson.Page(root, "doctors", doctor => LedgerJson.Doctor(doctor.GetString()!)),
            cancellationToken);

    /// <summary>A part of a hospital's status list: compact JWS. Part 0 says how many there are.</summary>
    public async Task<string> ReadStatusAsync(string hospital, int part, CancellationToken cancellationToken = default) =>
        Encoding.UTF8.GetString(await EvaluateAsync(ReadFunction.ReadStatus, [hospital, part.ToString(CultureInfo.InvariantCulture)], default, cancellationToken));

    /// <summary>The part of a hospital's status list that speaks of a certificate: compact JWS.</summary>
    /// <param name="hospital">MSP id.</param>
    /// <param name="certificate">Digest of the certificate.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task<string> ReadStatusOfAsync(string hospital, Digest certificate, CancellationToken cancellationToken = default)
    {
        var compact = await ReadStatusAsync(hospital, 0, cancellationToken);
        // A list that is just being parted further says so in the parts that are there already; each part has more of them than the one before.
        for (var parts = 0; CompactJws.Verify<StatusList>(compact).Value?.Statement is { } list && !list.Covers(certificate) && list.Parts > parts; parts = list.Parts)
            compact = await ReadStatusAsync(hospital, StatusList.PartOf(certificate, list.Parts), cancellationToken);
        return compact;
    }

    /// <summary>All parts of a hospital's status list, from the first: compact JWSs; empty where none is published.</summary>
    public async Task<IReadOnlyList<string>> ReadStatusListAsync(string hospital, CancellationToken cancellationToken = default)
    {
        var parts = new List<string>();
        try
        {
            for (var count = 1; parts.Count < count;)
            {
                parts.Add(await ReadStatusAsync(hospital, parts.Count, cancellationToken));
                count = Math.Max(count, CompactJws.Verify<StatusList>(parts[^1]).Value?.Statement.Parts ?? 1);
            }
        }
        catch (LedgerRefusalException e) when (e.Code == RefusalCode.NotFound)
        {
            // nothing published yet, or as many parts as there are
        }
        return parts;
    }

    private static ReadOnlyMemory<byte> PageInput(Handle? after, int limit) => LedgerJson.Input(writer =>
    {
        if (after is { } handle)
            writer.Write("after", handle);
        else
            writer.WriteNull("after");
        writer.WriteNumber("limit", limit);
    });

    private static T Result<T>(UpdateFunction function, byte[] answer)
        where T : struct, Enum
    {
        try
        {
            return LedgerJson.Word<T>(Encoding.UTF8.GetString(answer));
        }
        catch (Exception exception) when (exception is FormatException or IndexOutOfRangeException)
        {
            throw new LedgerAnswerException(function.ToString(), exception);
        }
    }
}
