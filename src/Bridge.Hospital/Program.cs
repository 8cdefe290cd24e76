using Bridge.Hospital.Access;
using Bridge.Hospital.Anchoring;
using Bridge.Hospital.Announcing;
using Bridge.Hospital.Certificates;
using Bridge.Hospital.Configuration;
using Bridge.Hospital.CoSign;
using Bridge.Hospital.Enrolment;
using Bridge.Hospital.Operations;
using Bridge.Hospital.Retracting;
using Bridge.Hospital.Store;
using Bridge.Hospital.Watching;
using Bridge.Hospital.Web;
using Bridge.Hospital.WriteBack;

return await Bridge.Hospital.HospitalApp.RunAsync(args, Console.Out, Console.Error);

namespace Bridge.Hospital
{
    /// <summary>The hospital's host: as a process by <see cref="RunAsync"/>, inside another one by <see cref="Build"/>.</summary>
    public static partial class HospitalApp
    {
        /// <summary>
        /// Builds the host from configuration (<c>--config file</c>, default <c>hospital.json</c> beside the working directory where it exists, then
        /// environment variables such as <c>Ledger__Key</c>, then <c>--Section:Key value</c>). Nothing is opened before it starts. Its addresses are in
        /// <see cref="WebApplication.Urls"/> once started, with port 0 replaced by the real one.
        /// </summary>
        /// <param name="args">As on the command line, without the command.</param>
        /// <param name="configure">Called before anything is read: more configuration sources, other services (a clock, say).</param>
        /// <exception cref="ConfigurationException">With every fault in the configuration.</exception>
        public static WebApplication Build(string[] args, Action<WebApplicationBuilder>? configure = null)
        {
            var file = ConfigFile.Of(args, out var rest);
            var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { ApplicationName = typeof(HospitalApp).Assembly.GetName().Name });
            if (file is not null)
                builder.Configuration.AddJsonFile(file, optional: false, reloadOnChange: false);
            builder.Configuration.AddEnvironmentVariables().AddCommandLine(rest);
            builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration();
            builder.Services.AddRoutingCore();
            configure?.Invoke(builder);

            var settings = Settings.Read(builder.Configuration, file is null ? Directory.GetCurrentDirectory() : Path.GetDirectoryName(file)!);
            builder.Listen(settings.Server);
            builder.AddSettings(settings);

            // The stages, in the order in which an encounter walks through them.
            builder.AddStore(settings.Store);
            builder.AddAccess(settings.Access);
            builder.AddSignIn(settings.SignIn);
            builder.AddLedger(settings.Ledger, settings.Bridge);
            builder.AddEnrolment(settings.Enrolment);       // whose encounters may be read at all
            builder.AddWatching(settings.Watching, settings.Extraction);    // FHIR server -> extraction -> summary rows, with the cursor
            builder.AddCoSign(settings.Extraction.Terminology, settings.Turns);     // whose turn it is, and a doctor's decision -> anchor row
            builder.AddAnchoring(settings.Anchoring);       // anchor row -> ledger -> receipt
            builder.AddWriteBack(settings.WriteBack);       // receipt -> the hospital's own FHIR server, where wanted
            builder.AddRetracting(settings.Anchoring);      // what must not stand any longer -> doctor's signature -> ledger
            builder.AddCertificates(settings.Certificates); // who may sign: directory and status lists
            builder.AddAnnouncing(settings.Announcing);     // what waits -> a Task, a mail, where wanted
            builder.AddOperations(settings.Operations);     // ticks, health, metrics, audit

            var app = builder.Build();
            app.UseWebHeaders();
            app.MapAccess();
            app.MapEnrolment();
            app.MapNotifications();
            app.MapCoSign();
            app.MapRetracting();
            app.MapCertificates();
            app.MapOperations();
            app.MapWeb();                                   // the console, in front of all this
            return app;
        }

        /// <summary>The program: <c>serve</c> (default), <c>init</c>, <c>check</c>, <c>verify</c>, <c>status</c>, <c>pause</c>, <c>resume</c>. Returns the exit code; <c>help</c> lists them.</summary>
        public static Task<int> RunAsync(string[] args, TextWriter output, TextWriter error) => Commands.RunAsync(args, output, error);
    }
}
