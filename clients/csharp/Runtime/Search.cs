using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Diagnostics;
using System.Linq;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Threading;
using System.Threading.Tasks;

namespace HallooClient
{
    /// <summary>When probes are sent, and which of them go to all ports.</summary>
    internal sealed class ProbeSchedule
    {
        private static readonly double[] Start = { 0.1, 0.2, 0.4, 0.4, 0.7, 0.7, 0.7, 0.7, 0.7, 0.7 };

        private int sent;

        /// <summary>Returns the time from this probe to the next one. <paramref name="chance"/> is drawn from 0 to 1.</summary>
        public double Next(double chance, out bool isWide)
        {
            var delay = sent < Start.Length ? Start[sent] : 3;
            isWide = sent++ % 5 == 0;
            return delay * (0.95 + 0.1 * chance);
        }
    }

    /// <summary>One search for servers on the local network. It blocks its thread.</summary>
    internal sealed class Search
    {
        public const int DiscoveryPort = 8766;

        private const int MaxServers = 256;
        private const double NamesakeDelay = 0.2, CancellationInterval = 0.02;

        private readonly string app;
        private readonly int port;
        private readonly bool isLocal;
        private readonly string nonce;
        private readonly Dictionary<string, ServerInfo> known = new Dictionary<string, ServerInfo>();
        private readonly Stopwatch clock = Stopwatch.StartNew();
        private readonly Random random = new Random();
        private readonly ConcurrentQueue<Sighting> answers = new ConcurrentQueue<Sighting>();

        public Search(string app, int port, bool isLocal)
        {
            this.app = app;
            this.port = port;
            this.isLocal = isLocal;
            var bytes = new byte[8];
            using (var generator = RandomNumberGenerator.Create()) generator.GetBytes(bytes);
            nonce = string.Concat(bytes.Select(one => one.ToString("x2")));
        }

        /// <summary>The servers that were found.</summary>
        public List<ServerInfo> Servers =>
            known.Values.Where(one => app == null || (one.App != null && Names.IsSameApp(one.App, app))).ToList();

        /// <summary>
        /// Returns the servers that a name means, or all, after at most <paramref name="timeout"/> seconds: 200 ms after the
        /// first one, and at once if it has this id or that of the server <paramref name="before"/>, whose addresses are asked
        /// over TCP, too.
        /// </summary>
        public List<ServerInfo> Find(string name, ServerInfo before, double timeout, CancellationToken cancellation)
        {
            using (var asks = CancellationTokenSource.CreateLinkedTokenSource(cancellation))
            {
                // Broadcasts may not get to a server that restarted at its last address.
                foreach (var address in before?.Addresses ?? new string[0]) AskAsync(address, asks.Token).Forget();
                try
                {
                    return FindMatching(name, before?.Id, timeout, cancellation);
                }
                finally
                {
                    asks.Cancel();
                }
            }
        }

        private async Task AskAsync(string address, CancellationToken cancellation)
        {
            var seen = await Check.AskAsync(address, cancellation).ConfigureAwait(false);
            if (seen?.Source == address) answers.Enqueue(seen);
        }

        private List<ServerInfo> FindMatching(string name, string preferred, double timeout, CancellationToken cancellation)
        {
            double? narrowed = null;
            Run(timeout, cancellation, () =>
            {
                var found = Matching(name);
                if (Servers.Any(one => one.HasId && one.Id == preferred)) return 0;
                if (name != null && found.Any(one => Names.IsId(name, one.Id))) return 0;
                if (found.Count > 0 && narrowed == null) narrowed = clock.Elapsed.TotalSeconds + NamesakeDelay;
                return narrowed ?? double.PositiveInfinity;
            });
            var known = Servers.Where(one => one.HasId && one.Id == preferred).ToList();
            return known.Count > 0 ? known : Matching(name);
        }

        /// <summary>Searches until the timeout, or the earlier time that <paramref name="until"/> returns.</summary>
        public void Run(double timeout, CancellationToken cancellation, Func<double> until)
        {
            var deadline = clock.Elapsed.TotalSeconds + timeout;
            using (var sockets = new DiscoverySockets(port, isLocal))
            {
                var schedule = new ProbeSchedule();
                var due = 0.0;
                while (true)
                {
                    cancellation.ThrowIfCancellationRequested();
                    var now = clock.Elapsed.TotalSeconds;
                    var end = Math.Min(deadline, until());
                    if (now >= end) return;
                    if (now >= due)
                    {
                        due = now + schedule.Next(random.NextDouble(), out var isWide);
                        sockets.Probe(nonce, isWide);
                    }
                    var wait = Math.Max(0, Math.Min(Math.Min(due, end) - now, CancellationInterval));
                    var ready = sockets.All.ToList();
                    Socket.Select(ready, null, null, (int)(wait * 1e6) + 1);
                    foreach (var one in ready) Receive(one);
                    while (answers.TryDequeue(out var seen)) Observe(seen);
                }
            }
        }

        private List<ServerInfo> Matching(string name) =>
            name == null ? Servers : Names.BestMatches(name, Servers, one => one.Id, one => one.Name);

        private void Receive(Socket ready)
        {
            var isIPv6 = ready.AddressFamily == AddressFamily.InterNetworkV6;
            EndPoint from = new IPEndPoint(isIPv6 ? IPAddress.IPv6Any : IPAddress.Any, 0);
            var buffer = new byte[Sighting.MaxDatagramSize + 1];
            int size;
            try
            {
                size = ready.ReceiveFrom(buffer, ref from);
            }
            catch (SocketException)
            {
                // Usually ICMP port unreachable in response to a probe.
                return;
            }
            var source = (IPEndPoint)from;
            if (isLocal && !IPAddress.IsLoopback(source.Address)) return;
            Array.Resize(ref buffer, size);
            var seen = Sighting.Read(buffer, source, nonce);
            if (seen != null) Observe(seen);
        }

        private void Observe(Sighting seen)
        {
            var server = new ServerInfo(seen);
            if (!known.TryGetValue(server.Id, out var before))
            {
                if (known.Count < MaxServers) known[server.Id] = server;
            }
            else if (before.IsAlso(seen))
            {
                before.Merge(seen);
            }
            else if (known.Count < MaxServers && !known.ContainsKey(seen.Source) && !seen.IsLinkLocal)
            {
                // Two machines with one id, or an impostor: both are listed, and none replaces the other. Servers do not list
                // link-local addresses, so such a one is usually another one of the same server.
                server.Id = seen.Source;
                server.HasId = false;
                known[server.Id] = server;
            }
        }
    }
}
