using System;
using System.Collections.Generic;
using System.Linq;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.RegularExpressions;

namespace HallooClient
{
    /// <summary>What one datagram says about a server.</summary>
    internal sealed class Sighting
    {
        public const int ProbeSize = 1024, MaxDatagramSize = 2048;

        private const int MaxAddresses = 8, MaxPairs = 16;

        public string Id { get; private set; }
        public string Name { get; private set; }
        public string Source { get; private set; }
        public List<string> Addresses { get; private set; }
        public long? Clients { get; private set; }
        public bool Auth { get; private set; }
        public bool Tls { get; private set; }
        public string App { get; private set; }
        public string Cluster { get; private set; }
        public Dictionary<string, string> Meta { get; private set; }
        public string Challenge { get; private set; }
        public bool IsReply { get; private set; }
        public bool IsLinkLocal { get; private set; }

        /// <summary>Returns a datagram that asks all servers to reply.</summary>
        public static byte[] Probe(string nonce, string ip = null)
        {
            var beside = ip == null ? "" : $"\"ip\":\"{ip}\",";
            var head = $"{{\"service\":\"websocket_server_probe\",\"v\":2,\"nonce\":\"{nonce}\",{beside}\"pad\":\"";
            return Encoding.ASCII.GetBytes(head.PadRight(ProbeSize - 2, '.') + "\"}");
        }

        /// <summary>
        /// Returns what a datagram from <paramref name="source"/> says about a server, or null if it lists none.
        /// <paramref name="nonce"/> is that of the own probes.
        /// </summary>
        public static Sighting Read(byte[] datagram, IPEndPoint source, string nonce)
        {
            return datagram.Length <= MaxDatagramSize ? ReadObject(datagram, source, nonce) : null;
        }

        /// <summary>The same for a response over HTTP from <paramref name="source"/>, which may be longer.</summary>
        public static Sighting ReadBody(byte[] body, IPEndPoint source)
        {
            var seen = ReadObject(body, source, "");
            return seen != null && seen.IsReply ? seen : null;
        }

        private static Sighting ReadObject(byte[] text, IPEndPoint source, string nonce)
        {
            var seen = Json.ParseObject(text);
            if (seen == null) return null;
            var service = Text(seen, "service");
            var isReply = service == "websocket_server_reply";
            if (isReply ? Text(seen, "nonce") != nonce : service != "websocket_server") return null;
            return Port(seen, "port") is int port ? new Sighting(seen, source, port, isReply) : null;
        }

        /// <summary>Returns an address as it is in a URL.</summary>
        public static string Format(string ip, int port) => ip.Contains(":") ? $"[{ip}]:{port}" : $"{ip}:{port}";

        private Sighting(Dictionary<string, object> seen, IPEndPoint source, int port, bool isReply)
        {
            IsReply = isReply;
            IsLinkLocal = source.Address.IsIPv6LinkLocal;
            var isForwarded = source.Address.Equals(Target.ReadIp(Text(seen, "ip")));
            Source = Format(source.Address.ToString(), (isForwarded ? null : Port(seen, "listen_port")) ?? port);
            var listed = isReply ? Listed(Value(seen, "addresses")).Select(ip => Format(ip, port)) : new string[0];
            var isAdvertised = isReply && IsTrue(seen, "advertised");
            var all = isAdvertised ? listed.Concat(new[] { Source }) : new[] { Source }.Concat(listed);
            Addresses = all.Distinct().Take(MaxAddresses).ToList();
            var id = string.Concat(Text(seen, "id").Where(one => one >= '!' && one <= '~').Take(32));
            Id = id == "" ? null : id;
            Name = Names.Clean(Text(seen, "name"));
            Clients = Value(seen, "clients") is double clients ? (long?)Math.Min(Math.Max(clients, 0), uint.MaxValue) : null;
            Auth = isReply && IsTrue(seen, "auth");
            Tls = isReply && IsTrue(seen, "tls");
            App = Visible(Text(seen, "app"));
            Cluster = isReply ? Visible(Text(seen, "cluster")) : null;
            Meta = Properties(isReply ? Value(seen, "meta") as Dictionary<string, object> : null);
            var challenge = Text(seen, "challenge");
            Challenge = challenge == "" ? null : challenge;
        }

        private static string Visible(string text)
        {
            var shown = Names.Clean(text);
            return shown.Trim() == "" ? null : shown;
        }

        private static object Value(Dictionary<string, object> seen, string key) =>
            seen.TryGetValue(key, out var value) ? value : null;

        private static string Text(Dictionary<string, object> seen, string key) => Value(seen, key) as string ?? "";

        private static bool IsTrue(Dictionary<string, object> seen, string key) => Equals(Value(seen, key), true);

        private static int? Port(Dictionary<string, object> seen, string key)
        {
            var isPort = Value(seen, key) is double port && port >= 1 && port <= 65535 && Math.Floor(port) == port;
            return isPort ? (int?)(double)seen[key] : null;
        }

        /// <summary>Returns the listed addresses that another machine could reach.</summary>
        private static IEnumerable<string> Listed(object listed)
        {
            if (!(listed is List<object> texts) || !texts.All(text => text is string)) return new string[0];
            var addresses = texts.Select(text => Target.ReadIp((string)text)).Where(ip => ip != null && LeadsSomewhere(ip));
            return addresses.Select(ip => ip.ToString()).Take(MaxAddresses);
        }

        private static bool LeadsSomewhere(IPAddress ip)
        {
            if (IPAddress.IsLoopback(ip)) return false;
            if (ip.AddressFamily == AddressFamily.InterNetworkV6)
            {
                var isUnspecified = ip.Equals(IPAddress.IPv6Any);
                return !isUnspecified && !ip.IsIPv6Multicast && !ip.IsIPv6LinkLocal && !ip.IsIPv4MappedToIPv6;
            }
            var first = ip.GetAddressBytes()[0];
            return !ip.Equals(IPAddress.Any) && !ip.Equals(IPAddress.Broadcast) && (first < 224 || first > 239);
        }

        private static Dictionary<string, string> Properties(Dictionary<string, object> pairs)
        {
            var meta = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
            foreach (var pair in pairs ?? new Dictionary<string, object>())
            {
                var isValid = Regex.IsMatch(pair.Key, @"\A[A-Za-z0-9_.-]{1,32}\z") && pair.Value is string;
                if (!isValid || meta.Count >= MaxPairs || meta.ContainsKey(pair.Key)) continue;
                var value = Names.Clean((string)pair.Value, 128);
                while (Encoding.UTF8.GetByteCount(value) > 128)
                {
                    value = value.Substring(0, value.Length - (char.IsLowSurrogate(value[value.Length - 1]) ? 2 : 1));
                }
                meta[pair.Key] = value;
            }
            return meta;
        }
    }
}
