using System.Formats.Asn1;
using System.Text;
using Bridge.Records;

namespace Bridge.Tests.Records.Differential;

/// <summary>Changes DER in the ways that readers are known to differ about: forms of length, order, number and kind of elements, times, numbers, names.</summary>
internal sealed class DerMutator(Random random)
{
    private static readonly byte[] Tags =
        [0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x0a, 0x0c, 0x12, 0x13, 0x14, 0x16, 0x17, 0x18, 0x1a, 0x1c, 0x1e, 0x30, 0x31, 0x80, 0x81, 0x82, 0x83, 0xa0, 0xa1, 0xa2, 0xa3, 0x24, 0x23, 0x1f, 0x3f, 0x00];

    private static readonly byte[][] Contents =
    [
        [], [0], [1], [0x7f], [0x80], [0xff], [0, 1], [0, 0x80], [0, 0], [0xff, 0x80], [1, 0x86], [7, 0x80], [8, 0x80], [0, 0x80], [1, 0x81], [6, 0xc0], [7, 0x80, 0x80], [0, 0xff, 0x80], [4, 0xf0], [0, 0x80, 0x00, 0x80],
        Text("261120080000Z"), Text("2611200800Z"), Text("261120080000+0000"), Text("491231235959Z"), Text("500101000000Z"), Text("991231235959Z"), Text("260230000000Z"), Text("261120240000Z"), Text("261120235960Z"),
        Text("20261120080000Z"), Text("20261120080000.5Z"), Text("20261120080000+0100"), Text("99991231235959Z"), Text("00000101000000Z"), Text("20500101000000Z"), Text("19491231235959Z"), Text("2026112008Z"), Text(" 61120080000Z"),
        [0x55, 4, 3], [0x55, 0x1d, 15], [0x55, 0x1d, 19], [0x55, 0x1d, 37], [0x55, 0x1d, 30], [0x55, 0x1d, 0x11], [0x2b, 6, 1, 5, 5, 7, 3, 36], [0x2b, 6, 1, 5, 5, 7, 3, 2], [0x2b, 6, 1, 5, 5, 7, 3, 3],
        Oid(RoleMark.Of(PersonRole.Doctor)), Oid(RoleMark.Of(PersonRole.Registrar)), Oid(RoleMark.Of(PersonRole.StatusKey)), Oid(RoleMark.Arc), Oid(RoleMark.Arc + ".9"), Oid(RoleMark.Arc + "1"),
        [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2], [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3], [0x80, 0x01], [0x55, 0x80, 0x04], [0x88, 0x37, 0x81], [0x69, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
        Text("Dr Ada Marten"), Text("Dr \u00c4da"), [0xff, 0xfe], [0, 0x44, 0, 0x72], Text(" "), Text("\0"), Text("Dr Ada\0Marten"), [0xed, 0xa0, 0x80],
    ];

    private sealed class Node
    {
        public byte Tag;
        public byte[] Value = [];
        public List<Node>? Children;
        public byte[] Lead = []; // unused-bits byte before the elements that a BIT STRING holds
        public int Form;
    }

    public byte[] Mutate(byte[] der)
    {
        var root = Read(der) ?? throw new ArgumentException("not DER", nameof(der));
        for (var i = random.Next(1, 4); i > 0; i--)
            Change(root);
        var changed = Write(root);
        if (random.Next(40) == 0)
            changed = [.. changed, .. Contents[random.Next(Contents.Length)]];
        return changed;
    }

    private void Change(Node root)
    {
        var all = new List<(Node Node, Node? Parent)>();
        Collect(root, null, all);
        var (node, parent) = all[random.Next(all.Count)];
        switch (random.Next(11))
        {
            case 0 when node.Value.Length > 0:
                node.Value = (byte[])node.Value.Clone();
                node.Value[random.Next(node.Value.Length)] ^= (byte)(1 << random.Next(8));
                break;
            case 1:
                node.Tag = Tags[random.Next(Tags.Length)];
                break;
            case 2:
                node.Form = random.Next(1, 5);
                break;
            case 3 when parent is not null:
                parent.Children!.Remove(node);
                break;
            case 4 when parent is not null:
                parent.Children!.Insert(random.Next(parent.Children.Count + 1), node);
                break;
            case 5 when parent is not null:
                parent.Children!.Remove(node);
                parent.Children.Insert(random.Next(parent.Children.Count + 1), node);
                break;
            case 6 when node.Children is not null:
                node.Children.Insert(random.Next(node.Children.Count + 1), Fresh());
                break;
            case 7 or 8 when node.Children is null:
                node.Value = Contents[random.Next(Contents.Length)];
                break;
            case 9 when node.Children is not null:
                var (other, _) = all[random.Next(all.Count)];
                if (!Holds(other, node))
                    node.Children.Insert(random.Next(node.Children.Count + 1), other);
                break;
            default:
                node.Tag = (byte)(node.Tag == 0x17 ? 0x18 : node.Tag == 0x18 ? 0x17 : node.Tag is 0x0c or 0x13 ? Tags[random.Next(7, 17)] : node.Tag);
                if (node.Children is null)
                    node.Value = Contents[random.Next(Contents.Length)];
                break;
        }
    }

    private Node Fresh() => new() { Tag = Tags[random.Next(Tags.Length)], Value = Contents[random.Next(Contents.Length)] };

    private static bool Holds(Node outer, Node inner) => outer == inner || outer.Children?.Exists(child => Holds(child, inner)) == true;

    private static void Collect(Node node, Node? parent, List<(Node, Node?)> all)
    {
        all.Add((node, parent));
        foreach (var child in node.Children ?? [])
            Collect(child, node, all);
    }

    private static Node? Read(ReadOnlySpan<byte> bytes) => ReadAll(bytes) is [var one] ? one : null;

    private static List<Node>? ReadAll(ReadOnlySpan<byte> bytes)
    {
        var nodes = new List<Node>();
        while (!bytes.IsEmpty)
        {
            if (bytes.Length < 2 || (bytes[0] & 0x1f) == 0x1f)
                return null;
            int length = bytes[1], header = 2;
            if (length >= 0x80)
            {
                var count = length & 0x7f;
                if (count is 0 or > 2 || bytes.Length < 2 + count)
                    return null;
                length = count == 1 ? bytes[2] : (bytes[2] << 8) | bytes[3];
                header += count;
            }
            if (bytes.Length < header + length)
                return null;
            var value = bytes.Slice(header, length);
            var node = new Node { Tag = bytes[0], Value = value.ToArray() };
            if ((node.Tag & 0x20) != 0)
                node.Children = ReadAll(value);
            else if (node.Tag == 0x04 && length > 1)
                node.Children = ReadAll(value);
            else if (node.Tag == 0x03 && length > 60 && value[0] == 0 && ReadAll(value[1..]) is { } inner)
                (node.Children, node.Lead) = (inner, [0]);
            nodes.Add(node);
            bytes = bytes[(header + length)..];
        }
        return nodes;
    }

    private static byte[] Write(Node node)
    {
        var value = node.Children is null ? node.Value : [.. node.Lead, .. node.Children.SelectMany(Write)];
        byte[] length = (node.Form, value.Length) switch
        {
            (1, < 0x80) => [0x81, (byte)value.Length],
            (2 or 1, < 0x10000) => [0x82, (byte)(value.Length >> 8), (byte)value.Length],
            (3, < 0x10000) => [0x84, 0, 0, (byte)(value.Length >> 8), (byte)value.Length],
            (4, _) => [0x80],
            (_, < 0x80) => [(byte)value.Length],
            (_, < 0x100) => [0x81, (byte)value.Length],
            _ => [0x82, (byte)(value.Length >> 8), (byte)value.Length],
        };
        return node.Form == 4 ? [node.Tag, .. length, .. value, 0, 0] : [node.Tag, .. length, .. value];
    }

    private static byte[] Oid(string dotted)
    {
        var writer = new AsnWriter(AsnEncodingRules.DER);
        writer.WriteObjectIdentifier(dotted);
        return writer.Encode()[2..];
    }

    private static byte[] Text(string text) => Encoding.UTF8.GetBytes(text);
}
