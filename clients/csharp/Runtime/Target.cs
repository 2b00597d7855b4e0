using System;
using System.Linq;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.RegularExpressions;

namespace HallooClient
{
    /// <summary>An address to connect to.</summary>
    internal sealed class Url
    {
        public bool Tls;
        public string Host;
        public string Zone;
        public int Port;
        public string Resource = "/";
        public string Token;
        public byte[] Fingerprint;

        /// <summary>The value of <c>Host</c>.</summary>
        public string Authority
        {
            get
            {
                var host = Host.Contains(":") ? $"[{Host}]" : Host;
                return Port == (Tls ? 443 : 80) ? host : $"{host}:{Port}";
            }
        }

        /// <summary>The address without its token.</summary>
        public string Shown
        {
            get
            {
                var zone = Zone == null ? "" : "%25" + Zone;
                var host = Host.Contains(":") ? $"[{Host}{zone}]" : Host;
                return $"{(Tls ? "wss" : "ws")}://{host}:{Port}{(Resource == "/" ? "" : Target.HideToken(Resource))}";
            }
        }

        public Url Clone() => (Url)MemberwiseClone();
    }

    /// <summary>What a person gives as the target: an address, an invitation link, or the name of a server.</summary>
    internal sealed class Target
    {
        public const int DefaultPort = 8765;

        private const RegexOptions IgnoreCase = RegexOptions.IgnoreCase | RegexOptions.CultureInvariant;

        /// <summary>Null for a name.</summary>
        public Url Url { get; private set; }

        /// <summary>Null for an address. If there is an address too, it is the name if its host has no address.</summary>
        public string Name { get; private set; }

        /// <summary>Returns what a text means. Null means the only server.</summary>
        public static Target Read(string text)
        {
            if (text == null) return new Target();
            text = text.Trim();
            Url url;
            try
            {
                url = ReadUrl(text);
            }
            catch (HallooException)
            {
                if (text == "" || HasScheme(text) || HasIp(text) || HasSecret(text)) throw;
                return new Target { Name = text };
            }
            if (ReadIp(url.Host) != null || HasScheme(text) || HasSecret(text) || url.Host == "localhost")
            {
                return new Target { Url = url };
            }
            var labels = (url.Host.EndsWith(".") ? url.Host.Substring(0, url.Host.Length - 1) : url.Host).Split('.');
            var isDomain = labels.All(label => label != "") && !Regex.IsMatch(labels.Last(), @"\A[0-9]+\z");
            var isWord = labels.Length == 1 && string.Equals(Authority(text), url.Host, StringComparison.OrdinalIgnoreCase);
            return new Target { Url = isDomain && !isWord ? url : null, Name = text };
        }

        /// <summary>Returns a text without the value of each <c>token=</c>.</summary>
        public static string HideToken(string text) => Regex.Replace(text, "(token=)[^&]*", "$1…", IgnoreCase);

        /// <summary>Returns a token that is valid.</summary>
        public static string CheckToken(string token)
        {
            if (Regex.IsMatch(token, @"\A[A-Za-z0-9._~-]{16,256}\z")) return token;
            throw Invalid("a token has 16 to 256 of the characters A-Z a-z 0-9 - . _ ~; copy it from the invitation link");
        }

        /// <summary>Returns the bytes of a fingerprint in base64url or in hexadecimal digits.</summary>
        public static byte[] ReadFingerprint(string text)
        {
            if (Regex.IsMatch(text, @"\A[A-Za-z0-9_-]{43}\z"))
            {
                return Convert.FromBase64String(text.Replace('-', '+').Replace('_', '/') + "=");
            }
            var digits = text.Replace(":", "");
            if (Regex.IsMatch(digits, @"\A[A-Fa-f0-9]{64}\z"))
            {
                return Enumerable.Range(0, 32).Select(i => Convert.ToByte(digits.Substring(2 * i, 2), 16)).ToArray();
            }
            throw Invalid("a fingerprint has 64 hexadecimal digits; copy the one that the server shows when it starts");
        }

        /// <summary>Returns the path that joins a room.</summary>
        public static string RoomPath(string room)
        {
            var bytes = Encoding.UTF8.GetBytes(room);
            if (bytes.Length < 1 || bytes.Length > 64)
            {
                throw Invalid($"the name of a room has 1 to 64 bytes, and this one has {bytes.Length}; choose another");
            }
            if (room.StartsWith("_") || room == "." || room == "..")
            {
                throw Invalid(
                    "a room whose name is `.` or `..`, or begins with `_`, can only be joined by the server; choose another");
            }
            return "/room/" + string.Concat(bytes.Select(one => IsUnreserved(one) ? ((char)one).ToString() : $"%{one:X2}"));
        }

        /// <summary>Returns the address with the path that joins a room.</summary>
        public static Url InRoom(Url url, string room)
        {
            var query = url.Resource.IndexOf('?');
            var changed = url.Clone();
            changed.Resource = RoomPath(room) + (query < 0 ? "" : url.Resource.Substring(query));
            return changed;
        }

        /// <summary>Returns an IP address without a zone; null if the text is anything else.</summary>
        public static IPAddress ReadIp(string text)
        {
            // The parser of the system accepts other forms, such as `10.1`.
            var isIpv4 = Regex.IsMatch(text, @"\A(?:(?:0|[1-9][0-9]{0,2})(?:\.(?!\z)|\z)){4}\z");
            var isIpv6 = Regex.IsMatch(text, @"\A[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*\z");
            return (isIpv4 || isIpv6) && IPAddress.TryParse(text, out var ip) ? ip : null;
        }

        private static bool IsUnreserved(byte one) =>
            (one >= '0' && one <= '9') || ((one | 0x20) >= 'a' && (one | 0x20) <= 'z') || "-._~".IndexOf((char)one) >= 0;

        private static HallooException Invalid(string message) => new HallooException(HallooError.InvalidTarget, message);

        private static bool HasScheme(string text) => Regex.IsMatch(text, @"\A[A-Za-z0-9+.-]+://");

        private static bool HasSecret(string text) =>
            Regex.IsMatch(text, @"#token=|&token=|\?token=|#fp=", IgnoreCase);

        private static string Authority(string text) => text.Split('/', '?', '#')[0];

        private static bool HasIp(string text)
        {
            var authority = Authority(text);
            var colon = authority.LastIndexOf(':');
            var host = colon < 0 ? authority : authority.Substring(0, colon);
            return new[] { host, authority }.Any(one => ReadIp(one.Trim('[', ']').Split('%')[0]) != null);
        }

        private static Url ReadUrl(string text)
        {
            var hash = text.IndexOf('#');
            var fragment = hash < 0 ? "" : text.Substring(hash + 1);
            var rest = hash < 0 ? text : text.Substring(0, hash);
            var url = new Url { Port = DefaultPort };
            var mark = rest.IndexOf("://", StringComparison.Ordinal);
            if (mark >= 0)
            {
                var scheme = rest.Substring(0, mark).ToLowerInvariant();
                if (!new[] { "ws", "http", "wss", "https" }.Contains(scheme))
                {
                    throw Invalid($"`{Names.Escape(scheme)}://` is not the scheme of a WebSocket; use ws:// or wss://");
                }
                url.Tls = scheme == "wss" || scheme == "https";
                url.Port = url.Tls ? 443 : 80;
                rest = rest.Substring(mark + 3);
            }
            var end = rest.IndexOfAny(new[] { '/', '?' });
            var authority = end < 0 ? rest : rest.Substring(0, end);
            var resource = end < 0 ? "" : rest.Substring(end);
            if (authority.Contains("@")) throw Invalid("a user name or a password is not supported; remove the part up to `@`");
            var wrong = Regex.Match(resource, "[^!-~]");
            if (wrong.Success)
            {
                throw Invalid($"`{Names.Escape(wrong.Value)}` is not allowed in a path or query; percent-encode it");
            }
            var port = SplitPort(authority, out var host);
            ReadFragment(fragment, url);
            if (url.Fingerprint != null && !url.Tls)
            {
                throw Invalid("a fingerprint needs TLS; use wss:// or https://, or remove `fp=`");
            }
            ReadHost(host, url);
            url.Resource = resource.StartsWith("/") ? resource : "/" + resource;
            if (port != "") url.Port = ReadPort(port);
            return url;
        }

        private static int ReadPort(string digits)
        {
            if (Regex.IsMatch(digits, @"\A[0-9]{1,5}\z") && int.Parse(digits) >= 1 && int.Parse(digits) <= 65535)
            {
                return int.Parse(digits);
            }
            throw Invalid($"`{Names.Escape(digits)}` is not a valid port; use a number from 1 to 65535");
        }

        private static string SplitPort(string authority, out string host)
        {
            host = authority;
            if (TryReadIpv6(authority, new Url())) return "";
            var isBracketed = authority.StartsWith("[");
            var colon = isBracketed ? authority.IndexOf("]:", StringComparison.Ordinal) + 1 : authority.IndexOf(':');
            if (colon < 0 || (isBracketed && colon == 0)) return "";
            host = authority.Substring(0, colon);
            return authority.Substring(colon + 1);
        }

        private static bool TryReadIpv6(string text, Url url)
        {
            var percent = text.IndexOf('%');
            var ip = ReadIp(percent < 0 ? text : text.Substring(0, percent));
            if (ip == null || ip.AddressFamily != AddressFamily.InterNetworkV6) return false;
            url.Host = ip.ToString();
            if (percent < 0) return true;
            var zone = text.Substring(percent + 1);
            if (zone.StartsWith("25") && zone.Length > 2) zone = zone.Substring(2);
            if (!Regex.IsMatch(zone, @"\A[A-Za-z0-9._~-]{1,64}\z")) return false;
            // Only these addresses need one.
            url.Zone = ip.IsIPv6LinkLocal ? zone : null;
            return true;
        }

        private static void ReadHost(string text, Url url)
        {
            var isBracketed = text.StartsWith("[") && text.EndsWith("]");
            if (TryReadIpv6(isBracketed ? text.Substring(1, text.Length - 2) : text, url)) return;
            if (isBracketed || (ReadIp(text) == null && !Regex.IsMatch(text, @"\A[A-Za-z0-9._-]{1,253}\z")))
            {
                throw Invalid($"`{Names.Escape(text)}` is not a valid host; use an address such as 192.168.1.5, or a name");
            }
            url.Host = text.ToLowerInvariant();
        }

        private static void ReadFragment(string fragment, Url url)
        {
            foreach (var pair in fragment.Split('&').Where(pair => pair != ""))
            {
                if (pair.StartsWith("token=", StringComparison.Ordinal))
                {
                    url.Token = CheckToken(Uri.UnescapeDataString(pair.Substring(6)));
                }
                else if (pair.StartsWith("fp=", StringComparison.Ordinal))
                {
                    url.Fingerprint = ReadFingerprint(pair.Substring(3));
                }
                else
                {
                    throw Invalid("an address may only end in `#token=...` and `&fp=...`; remove the rest after `#`");
                }
            }
        }
    }
}
