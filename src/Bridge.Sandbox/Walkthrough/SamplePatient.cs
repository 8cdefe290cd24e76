using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Bridge.Ledger;
using Bridge.Records;
using Bridge.Sandbox.Consortium;

namespace Bridge.Sandbox.Walkthrough;

/// <summary>What the patient's browser does, with the ticket from the desk as its only trust: key, consent, proof of the code, erasure.</summary>
internal sealed class SamplePatient : IDisposable
{
    private static readonly ConsentNotice Notice = ConsentNotice.Shipped[0];
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    private readonly ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    private readonly EnrolmentTicket ticket;

    private SamplePatient(EnrolmentTicket ticket, long enrolment)
    {
        this.ticket = ticket;
        Enrolment = enrolment;
    }

    /// <summary>The desk's number of the enrolment.</summary>
    public long Enrolment { get; }

    public string Hospital => ticket.Hospital;

    /// <summary>Digests of the hospital's CA certificates, from the printed ticket: all that the patient trusts.</summary>
    public CaDigests Trust => ticket.CaDigests;

    public Pseudonym Pseudonym => Pseudonym.FromPublicKey(key.ExportSubjectPublicKeyInfo());

    /// <summary>The desk opens an enrolment for a patient of the FHIR server and prints the ticket.</summary>
    public static async Task<SamplePatient> AtTheDeskAsync(SampleSystem system, string fhirPatient, CancellationToken ct)
    {
        var opened = await system.Hospital.As("desk").PostAsync("/api/enrolments", new JsonObject { ["patient"] = fhirPatient, ["guardian"] = false }, ct);
        return EnrolmentTicket.TryParse(opened.GetProperty("fragment").GetString(), out var ticket)
            ? new SamplePatient(ticket!, opened.GetProperty("enrolment").GetInt64())
            : throw new SandboxException("The desk printed a ticket that cannot be read.");
    }

    /// <summary>Signs the consent with the new key, proves the code, and has the portal put the request into the hospital's mailbox on the ledger.</summary>
    public async Task RequestAsync(SummaryLedger portal, CancellationToken ct)
    {
        var request = EnrolmentRequest.Create(
            ticket.Code.Derive(ticket.Hospital, ticket.CaDigests), SampleConsortium.PortalMsp, key, [Purposes.Peers], [SampleConsortium.PortalMsp], Notice.Text, Notice.Language,
            DateOnly.FromDateTime(DateTime.UtcNow.AddYears(2)));
        await portal.RequestEnrolmentAsync(
            ticket.Hospital, new EnrolmentSubmission(Handle.New(), request, Salt.New(), Salt.New(), Handle.New(), Salt.New()), ct);
    }

    /// <summary>Waits until the hospital has checked the MAC, issued the certificate and enrolled the patient on the ledger.</summary>
    public async Task WaitEnrolledAsync(SampleSystem system, CancellationToken ct) => await Poll.UntilAsync(
        "The patient's enrolment", Limit,
        async () => (await system.Hospital.As("desk").GetAsync($"/api/enrolments/{Enrolment}", ct)).GetProperty("state").GetString() is "Enrolled" and var state ? state : null,
        ct);

    /// <summary>The patient's signed wish, which the portal carries to the ledger.</summary>
    public Task EraseAsync(SummaryLedger portal, SummaryId id, CancellationToken ct) => portal.EraseSummaryAsync(
        ticket.Hospital,
        new SummaryErasure(id, CompactJws.Sign(new Erasure(ticket.Hospital, id), key), null, Handle.New(), Salt.New(), Salt.New()), ct);

    public void Dispose() => key.Dispose();
}
