using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using Bridge.Ledger.Protocol.Rpc;
using Google.Protobuf;

namespace Bridge.Ledger.Grpc;

/// <summary>Reads how a call ended: grpc-status, grpc-message and grpc-status-details-bin, in trailers or (trailers-only) in headers.</summary>
internal static class GrpcStatus
{
    private const string ErrorDetailType = "gateway.ErrorDetail";

    /// <summary>Null for status OK.</summary>
    public static GrpcFailure? FromResponse(HttpResponseMessage response, string endpoint)
    {
        if (response.TrailingHeaders.NonValidated.Contains("grpc-status"))
            return FromHeaders(response.TrailingHeaders, endpoint);
        if (response.Headers.NonValidated.Contains("grpc-status"))
            return FromHeaders(response.Headers, endpoint);
        return response.StatusCode == HttpStatusCode.OK
            ? new GrpcFailure(GrpcStatusCode.Internal, "the answer carried no grpc-status", [], endpoint, GrpcFailureOrigin.Connection)
            : FromHttp(response.StatusCode, endpoint);
    }

    /// <summary>Trailers-only answers carry their status in the headers and have no body.</summary>
    public static bool IsTrailersOnly(HttpResponseMessage response) => response.Headers.NonValidated.Contains("grpc-status");

    public static GrpcFailure FromHttp(HttpStatusCode status, string endpoint) => new(
        status switch
        {
            HttpStatusCode.BadRequest => GrpcStatusCode.Internal,
            HttpStatusCode.Unauthorized => GrpcStatusCode.Unauthenticated,
            HttpStatusCode.Forbidden => GrpcStatusCode.PermissionDenied,
            HttpStatusCode.NotFound => GrpcStatusCode.Unimplemented,
            HttpStatusCode.TooManyRequests or HttpStatusCode.BadGateway or HttpStatusCode.ServiceUnavailable
                or HttpStatusCode.GatewayTimeout => GrpcStatusCode.Unavailable,
            _ => GrpcStatusCode.Unknown,
        },
        $"{endpoint} answered with HTTP {(int)status} and no gRPC status: is it a Fabric gateway?",
        [],
        endpoint,
        GrpcFailureOrigin.Connection);

    private static GrpcFailure? FromHeaders(HttpResponseHeaders headers, string endpoint)
    {
        var text = Value(headers, "grpc-status");
        var code = int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number <= 16
            ? (GrpcStatusCode)number
            : GrpcStatusCode.Unknown;
        if (code == GrpcStatusCode.Ok)
            return null;
        return new GrpcFailure(
            code,
            Uri.UnescapeDataString(Value(headers, "grpc-message") ?? ""),
            Details(Value(headers, "grpc-status-details-bin")),
            endpoint,
            GrpcFailureOrigin.Server);
    }

    private static string? Value(HttpResponseHeaders headers, string name) =>
        headers.NonValidated.TryGetValues(name, out var values) ? values.ToString() : null;

    // details are a help for people: what cannot be read is left out and never hides the status
    private static List<ErrorDetail> Details(string? base64)
    {
        var found = new List<ErrorDetail>();
        if (string.IsNullOrEmpty(base64))
            return found;
        try
        {
            var unpadded = base64.TrimEnd('=');
            var status = Status.Parser.ParseFrom(Convert.FromBase64String(unpadded.PadRight((unpadded.Length + 3) / 4 * 4, '=')));
            foreach (var any in status.Details)
            {
                if (!any.TypeUrl.EndsWith(ErrorDetailType, StringComparison.Ordinal))
                    continue;
                var detail = Protocol.ErrorDetail.Parser.ParseFrom(any.Value);
                found.Add(new ErrorDetail(detail.Address, detail.MspId, detail.Message));
            }
        }
        catch (Exception exception) when (exception is FormatException or InvalidProtocolBufferException)
        {
        }

        return found;
    }
}
