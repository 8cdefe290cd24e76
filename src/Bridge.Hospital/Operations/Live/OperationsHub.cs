using Bridge.Hospital.Access;
using Microsoft.AspNetCore.SignalR;

namespace Bridge.Hospital.Operations;

/// <summary>What an operator's page is told. Each message replaces what an earlier one of its name said; one is sent only when something in it changed.</summary>
internal interface IOperationsClient
{
    /// <summary>Where everything stands.</summary>
    Task Standing(StandingView standing);

    /// <summary>Whether what the bridge needs is there.</summary>
    Task Health(IReadOnlyList<HealthView> checks);

    /// <summary>Jobs: schedule and last runs.</summary>
    Task Jobs(IReadOnlyList<JobView> jobs);

    /// <summary>Certificates that end first.</summary>
    Task Certificates(CertificatesView certificates);

    /// <summary>The number of the newest entry of the audit log.</summary>
    Task Audit(long newest);
}

/// <summary>
/// Operators follow the bridge live. Clients call nothing here. Whoever connects has the role (the route asks for it, and so does the hub) and gets messages through the group
/// of operators, never otherwise; a connection ends with the session that opened it, and does not keep it alive.
/// </summary>
internal sealed class OperationsHub(LiveFeed feed, LiveConnections connections) : Hub<IOperationsClient>
{
    public const string Path = "/api/operations/live";
    public const string Operators = "operators";

    public override async Task OnConnectedAsync()
    {
        if (Context.User?.IsInRole(Roles.Operator) != true)
        {
            Context.Abort();
            return;
        }
        await feed.WelcomeAsync(Clients.Caller, () => Groups.AddToGroupAsync(Context.ConnectionId, Operators, Context.ConnectionAborted));
        connections.Add(Context);
        await base.OnConnectedAsync();
    }

    public override Task OnDisconnectedAsync(Exception? exception)
    {
        connections.Remove(Context);
        return base.OnDisconnectedAsync(exception);
    }
}
