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
/// Operators follow the bridge live. Clients call nothing here. Whoever connects has the role (the route asks for it, and so does the hub) and has an outbox of their own; a
/// connection ends with the session that opened it, and does not keep it alive.
/// </summary>
internal sealed partial class OperationsHub(
    LiveFeed feed, LiveConnections connections, IHubContext<OperationsHub, IOperationsClient> hub, TimeProvider clock, ILogger<OperationsHub> log) : Hub<IOperationsClient>
{
    public const string Path = "/api/operations/live";

    public override async Task OnConnectedAsync()
    {
        if (Context.User?.IsInRole(Roles.Operator) != true)
        {
            Context.Abort();
            return;
        }
        var outbox = new LiveOutbox(clock);
        feed.Welcome(outbox, () => connections.Add(Context, outbox));
        _ = TellAsync(outbox, hub.Clients.Client(Context.ConnectionId), Context, log);
        await base.OnConnectedAsync();
    }

    public override Task OnDisconnectedAsync(Exception? exception)
    {
        connections.Remove(Context);
        return base.OnDisconnectedAsync(exception);
    }

    // Outlives this object: a hub is made for each call.
    private static async Task TellAsync(LiveOutbox outbox, IOperationsClient client, HubCallerContext context, ILogger log)
    {
        try
        {
            await outbox.RunAsync(client, context.ConnectionAborted);
        }
        catch (Exception) when (context.ConnectionAborted.IsCancellationRequested)
        {
        }
        catch (TimeoutException)
        {
            Log.GivenUp(log);
            context.Abort();
        }
        catch (Exception e)
        {
            Log.NotTold(log, Faults.Describe(e));
            context.Abort();
        }
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 6302, Level = LogLevel.Information, Message = "A page that follows the bridge took nothing in and was cut off")]
        public static partial void GivenUp(ILogger logger);

        [LoggerMessage(EventId = 6303, Level = LogLevel.Warning, Message = "A page that follows the bridge could not be told and was cut off: {Fault}")]
        public static partial void NotTold(ILogger logger, string fault);
    }
}
