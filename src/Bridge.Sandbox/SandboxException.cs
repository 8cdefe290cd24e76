namespace Bridge.Sandbox;

/// <summary>Something the Sandbox needs is missing or failed; the message says what, and what to do. Printed without a stack trace.</summary>
internal sealed class SandboxException(string message) : Exception(message);
