using Bridge.Sandbox.Setup;
using Microsoft.Playwright;

namespace Bridge.FlowTests.WebConsole;

/// <summary>Reads a QR code as a phone does: from its picture, with a reader that knows nothing of the page.</summary>
internal static class QrReader
{
    /// <summary>The text in the picture of an element.</summary>
    public static async Task<string> ReadAsync(ILocator element, IBrowserContext context)
    {
        var picture = await element.ScreenshotAsync();
        var script = await File.ReadAllTextAsync(Path.Combine(Checkout.Find().Root, "src", "web", "node_modules", "jsqr", "dist", "jsQR.js"));
        var page = await context.NewPageAsync();
        try
        {
            await page.EvaluateAsync(script);
            return await page.EvaluateAsync<string?>(
                """
                async (base64) => {
                  const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
                  const image = await createImageBitmap(new Blob([bytes], { type: 'image/png' }));
                  const canvas = new OffscreenCanvas(image.width, image.height);
                  const pen = canvas.getContext('2d');
                  pen.drawImage(image, 0, 0);
                  return jsQR(pen.getImageData(0, 0, image.width, image.height).data, image.width, image.height)?.data ?? null;
                }
                """,
                Convert.ToBase64String(picture)) ?? throw new InvalidOperationException("there is no QR code in the picture that can be read");
        }
        finally
        {
            await page.CloseAsync();
        }
    }
}
