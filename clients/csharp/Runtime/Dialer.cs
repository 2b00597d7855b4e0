using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
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
            byte[] found = null;
            var isPinned = false;
            var secure = new SslStream(stream, false, (sender, certificate, chain, errors) =>
            {
                var bytes = certificate.GetRawCertData();
                found = Hash(PublicKey(bytes));
                if (url.Fingerprint == null) return errors == SslPolicyErrors.None;
                isPinned = url.Fingerprint.SequenceEqual(found) || url.Fingerprint.SequenceEqual(Hash(bytes));
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

        /// <summary>
        /// Returns SubjectPublicKeyInfo of a certificate (RFC 5280 section 4.1), which is the seventh field, or the sixth
        /// without a version.
        /// </summary>
        public static byte[] PublicKey(byte[] certificate)
        {
            var at = Content(certificate, Content(certificate, 0).start).start;
            for (var left = certificate[at] == 0xA0 ? 6 : 5; left > 0; left--) at = Content(certificate, at).end;
            return certificate.Skip(at).Take(Content(certificate, at).end - at).ToArray();
        }

        /// <summary>Returns where the content of an element of DER starts and ends.</summary>
        private static (int start, int end) Content(byte[] data, int at)
        {
            int length = data[at + 1], start = at + 2;
            if (length < 0x80) return (start, start + length);
            var digits = length & 0x7F;
            length = 0;
            for (; digits > 0; digits--) length = length << 8 | data[start++];
            return (start, start + length);
        }

        private static AttemptFailedException Judge(Url url, byte[] found, bool isPinned, Exception error)
        {
            if (found == null || isPinned) return Lost($"cannot connect to {url.Shown}: {Names.Escape(error.Message)}");
            if (url.Fingerprint == null)
            {
                return new AttemptFailedException(
                    new Ending(EndingKind.NotTrusted), HallooError.WrongServer,
                    $"the certificate of {url.Shown} is not trusted: its fingerprint is {Hex(found)}; if this is what the " +
                    "server shows when it starts, set Fingerprint to it, or use the invitation link");
            }
            return new AttemptFailedException(
                new Ending(EndingKind.NotPinned), HallooError.WrongServer,
                $"the server at {url.Shown} is not the right one: its fingerprint is {Hex(found)} instead of " +
                $"{Hex(url.Fingerprint)}; if it has a new key, use the fingerprint that it shows when it starts");
        }

        private static AttemptFailedException Lost(string message) =>
            new AttemptFailedException(new Ending(EndingKind.Lost), HallooError.ConnectFailed, message);

        private static byte[] Hash(byte[] data)
        {
            using (var sha = SHA256.Create()) return sha.ComputeHash(data);
        }

        private static string Hex(byte[] data) => string.Concat(data.Select(one => one.ToString("x2")));
    }
}
