using System;
using System.IO;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Threading;
using System.Threading.Tasks;

namespace HallooClient
{
    /// <summary>A question over TCP, for what a server says about itself.</summary>
    internal static class Check
    {
        private const int MaxResponse = 24 * 1024;
        private const double Timeout = 2;

        /// <summary>
        /// Requests <c>/discovery.json</c>, which a server that requires TLS answers without. Returns null if there is no
        /// server.
        /// </summary>
        public static async Task<Sighting> AskAsync(string address, CancellationToken cancellation)
        {
            using (var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellation))
            {
                deadline.CancelAfter(TimeSpan.FromSeconds(Timeout));
                try
                {
                    var dial = new Dial(address);
                    // What is closed ends the wait for it.
                    using (deadline.Token.Register(dial.Client.Dispose))
                    using (dial.Client)
                    {
                        await dial.Task.ConfigureAwait(false);
                        var source = (IPEndPoint)dial.Client.Client.RemoteEndPoint;
                        return Sighting.ReadBody(await GetAsync(dial.Client.GetStream()).ConfigureAwait(false), source);
                    }
                }
                catch (Exception error) when (IsFailure(error))
                {
                    return null;
                }
            }
        }

        /// <summary>Returns the body of the response; empty if there is none.</summary>
        private static async Task<byte[]> GetAsync(Stream stream)
        {
            // A response of HTTP/1.0 is not in chunks, and the connection ends after it.
            var request = Encoding.ASCII.GetBytes("GET /discovery.json HTTP/1.0\r\nHost: halloo\r\n\r\n");
            await stream.WriteAsync(request, 0, request.Length).ConfigureAwait(false);
            var response = new MemoryStream();
            var buffer = new byte[2048];
            for (var size = 1; size > 0 && response.Length <= MaxResponse;)
            {
                size = await stream.ReadAsync(buffer, 0, buffer.Length).ConfigureAwait(false);
                response.Write(buffer, 0, size);
            }
            var all = response.ToArray();
            var head = Encoding.GetEncoding("iso-8859-1").GetString(all);
            var end = head.IndexOf("\r\n\r\n", StringComparison.Ordinal);
            if (end < 0 || all.Length > MaxResponse || !head.StartsWith("HTTP/1.") || head.Substring(8, 5) != " 200 ")
            {
                return new byte[0];
            }
            var body = new byte[all.Length - end - 4];
            Array.Copy(all, end + 4, body, 0, body.Length);
            return body;
        }

        // A client that is closed while it connects throws one of the last three, in .NET and in Mono.
        private static bool IsFailure(Exception error) =>
            error is SocketException || error is IOException || error is ObjectDisposedException ||
            error is InvalidOperationException || error is NullReferenceException;
    }
}
