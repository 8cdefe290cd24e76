namespace Bridge.Fhir;

/// <summary>One resource as the server sent it: its bytes, unparsed. Valid as long as the page that it came with.</summary>
/// <param name="Json">UTF-8 JSON of the resource; only its first 4 KiB where it was beyond the size bound.</param>
/// <param name="FullUrl">The bundle entry's <c>fullUrl</c>, where there was one.</param>
/// <param name="Oversize">True where the resource was larger than the bound and is set aside.</param>
public readonly record struct FhirResource(ReadOnlyMemory<byte> Json, string? FullUrl = null, bool Oversize = false);
