using Bridge.Hospital;

return await HospitalApp.RunAsync(args, Console.Out, Console.Error);
