using Bridge.Hospital.Operations;
using Bridge.Hospital.WriteBack;

namespace Bridge.Hospital.Announcing;

/// <summary>Tells doctors, where they look anyway, that work waits for them. Off unless configured.</summary>
internal static class AnnouncingSlice
{
    public static void AddAnnouncing(this WebApplicationBuilder builder, AnnouncingOptions options)
    {
        var services = builder.Services;
        services.AddSingleton(options);
        if (options.Task)
        {
            services.AddSingleton(WrittenType.Task);
            services.AddSingleton<TaskAnnouncer>();
            services.AddStage<TaskAnnouncer>("tasks", _ => options.Interval, _ => null, (worker, token) => worker.RunAsync(token));
        }
        if (options.Mail is null)
            return;
        services.AddSingleton<MailDigests>();
        services.AddStage<MailDigests>("mail", _ => options.Interval, _ => null, (worker, token) => worker.RunAsync(token));
    }
}
