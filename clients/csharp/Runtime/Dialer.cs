using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using System.Threading;
using System.Threading.Tasks;

namespace HallooClient
{
    /// <summary>An attempt to connect to one address.</summary>
    internal sealed class Dial
    {
        public Dial(string address)
        {
            Address = address;
            var colon = address.LastIndexOf(':');
            var ip = IPAddress.Parse(address.Substring(0, colon).Trim('[', ']'));
            Client = new TcpClient(ip.AddressFamily);
            Task = Client.ConnectAsync(ip, int.Parse(address.Substring(colon + 1)));
        }

        public string Address { get; }

        public TcpClient Client { get; }

        public Task Task { get; }
    }

    /// <summary>TCP and TLS to one of several addresses.</summary>
    internal static class Dialer
    {
        public const double Timeout = 5;

        private const double NextAddressDelay = 0.25;

        /// <summary>
        /// Returns the addresses of a host. The resolver of the system cannot be cancelled, so it is only abandoned.
        /// </summary>
        public static async Task<List<string>> ResolveAsync(string host, int port, CancellationToken cancellation)
        {
            var resolution = Dns.GetHostAddressesAsync(host);
            try
            {
                var isDone = await resolution.EndsWithinAsync(2 * Timeout, cancellation).ConfigureAwait(false);
                var found = isDone ? await resolution.ConfigureAwait(false) : new IPAddress[0];
                return found.Select(ip => Sighting.Format(ip.ToString(), port)).Distinct().ToList();
            }
            catch (SocketException)
            {
                return new List<string>();
            }
        }

        /// <summary>
        /// Returns a connection to one of the addresses, and removes it and those that failed from <paramref name="left"/> (RFC
        /// 8305 section 5).
        /// </summary>
        public static async Task<Dial> ConnectAsync(List<string> left, CancellationToken cancellation)
        {
            var pending = new List<Dial>();
            var reasons = new List<string>();
            var waiting = new List<string>(left);
            var clock = System.Diagnostics.Stopwatch.StartNew();
            try
            {
                while (waiting.Count > 0 || pending.Count > 0)
                {
                    if (waiting.Count > 0)
                    {
                        pending.Add(new Dial(waiting[0]));
                        waiting.RemoveAt(0);
                    }
                    var leftover = Timeout - clock.Elapsed.TotalSeconds;
                    if (leftover <= 0) break;
                    var first = Task.WhenAny(pending.Select(one => one.Task));
                    var pause = waiting.Count > 0 ? NextAddressDelay : leftover;
                    await first.EndsWithinAsync(pause, cancellation).ConfigureAwait(false);
                    foreach (var ended in pending.Where(one => one.Task.IsCompleted).ToList())
                    {
                        pending.Remove(ended);
                        left.Remove(ended.Address);
                        if (ended.Task.Status == TaskStatus.RanToCompletion) return ended;
                        reasons.Add($"{ended.Address}: {ended.Task.Exception?.GetBaseException().Message}");
                        ended.Client.Dispose();
                    }
                }
            }
            finally
            {
                foreach (var one in pending)
                {
                    one.Task.Forget();
                    one.Client.Dispose();
                }
            }
            reasons.AddRange(pending.Select(one => $"{one.Address}: no answer"));
            left.Clear();
            throw Lost($"cannot connect to {string.Join("; ", reasons)}; check that the server runs, or try `halloo doctor`");
        }

        /// <summary>
        /// Returns a stream with TLS. Only the certificate with the fingerprint is accepted, if there is one.
        /// </summary>
        public static async Task<Stream> SecureAsync(Stream stream, Url url, CancellationToken cancellation)
        {
            Certificate found = null;
            var isPinned = false;
            var secure = new SslStream(stream, false, (sender, certificate, chain, errors) =>
            {
                found = new Certificate(certificate.GetRawCertData());
                if (url.Fingerprint == null) return errors == SslPolicyErrors.None;
                isPinned = found.Has(url.Fingerprint);
                return isPinned;
            });
            try
            {
                var none = new X509CertificateCollection();
                var handshake = secure.AuthenticateAsClientAsync(url.Host, none, SslProtocols.None, false);
                if (await handshake.EndsWithinAsync(Timeout, cancellation).ConfigureAwait(false))
                {
                    await handshake.ConfigureAwait(false);
                    return secure;
                }
                throw Lost($"{url.Shown} did not complete the TLS handshake in time; find out why with `halloo doctor`");
            }
            catch (Exception error) when (error is AuthenticationException || error is IOException)
            {
                secure.Dispose();
                throw Judge(url, found, isPinned, error);
            }
            catch
            {
                secure.Dispose();
                throw;
            }
        }

        private static AttemptFailedException Judge(Url url, Certificate found, bool isPinned, Exception error)
        {
            if (found == null || isPinned)
            {
                // What is no error of the socket is one of TLS: the peer speaks none, or another version of it.
                var kind = error is AuthenticationException ? EndingKind.NoWebSocket : EndingKind.Lost;
                var message = $"cannot connect to {url.Shown}: {Names.Escape(error.Message)}; check that the server uses TLS";
                return new AttemptFailedException(new Ending(kind), HallooError.ConnectFailed, message);
            }
            if (url.Fingerprint == null)
            {
                return new AttemptFailedException(
                    new Ending(EndingKind.NotTrusted), HallooError.WrongServer,
                    $"the certificate of {url.Shown} is not trusted; it is for {found.ShownNames}, with the fingerprint " +
                    $"{found.Fingerprint}; if the server shows this fingerprint when it starts, set Fingerprint to " +
                    $"\"{found.Fingerprint}\", or append #fp={found.Fingerprint} to the address");
            }
            return new AttemptFailedException(
                new Ending(EndingKind.NotPinned), HallooError.WrongServer,
                $"the server at {url.Shown} is not the right one: its fingerprint is {found.Fingerprint} " +
                $"instead of {Certificate.Hex(url.Fingerprint)}; if it has a new key, use the fingerprint that it shows when it starts");
        }

        private static AttemptFailedException Lost(string message) =>
            new AttemptFailedException(new Ending(EndingKind.Lost), HallooError.ConnectFailed, message);
    }
}
