using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Threading;
using System.Threading.Tasks;

namespace HallooClient
{
    /// <summary>Leads to a connection, attempt by attempt: search, addresses, TLS, handshake.</summary>
    internal sealed class Connector
    {
        private const int MaxChallenges = 2;

        private readonly Target target;
        private readonly LinkOptions options;
        private readonly string token;
        private readonly byte[] fingerprint;

        // What is known of the server from the last search.
        private ServerInfo server;
        private List<string> addresses = new List<string>();
        private HashSet<string> answered = new HashSet<string>();
        private bool isGiven, isSecure;
        private string confirmedId;

        public Connector(string text, LinkOptions options)
        {
            this.options = options;
            target = Target.Read(text);
            token = options.Token != null ? Target.CheckToken(options.Token) : target.Url?.Token;
            fingerprint = options.Fingerprint != null ? Target.ReadFingerprint(options.Fingerprint) : target.Url?.Fingerprint;
            isSecure = fingerprint != null;
            isGiven = target.Url != null && target.Name == null;
            if (options.Room != null) Target.RoomPath(options.Room);
        }

        public LinkState State { get; set; }

        /// <summary>What is known about the peer of the last attempt.</summary>
        public Certainty Certainty { get; private set; }

        /// <summary>The address of the connection.</summary>
        public string Url { get; private set; }

        public string Subprotocol { get; private set; }

        /// <summary>Completes an attempt, or throws an AttemptFailedException.</summary>
        public async Task<Connection> ConnectAsync(Outbox outbox, Inbox inbox, CancellationToken cancellation)
        {
            answered.Clear();
            Certainty = new Certainty { Given = isGiven };
            var hasSearched = addresses.Count == 0;
            var left = hasSearched ? await LocateAsync(cancellation).ConfigureAwait(false) : new List<string>(addresses);
            while (true)
            {
                try
                {
                    return await TryAsync(left, outbox, inbox, cancellation).ConfigureAwait(false);
                }
                catch (AttemptFailedException failure)
                {
                    if (failure.Ending.IsFinal(Certainty) || isGiven || hasSearched) throw;
                    addresses.Clear();
                }
                left = await LocateAsync(cancellation).ConfigureAwait(false);
                hasSearched = true;
            }
        }

        /// <summary>Records how the connection ended.</summary>
        public void HandleClosed(int code, bool isStable)
        {
            var known = Certainty;
            known.Stable = isStable;
            Certainty = known;
            // Another program has got the address.
            if (Ending.IsFinalCode(code) && !new Ending(EndingKind.Closed, code).IsFinal(known)) addresses.Clear();
        }

        private async Task<Connection> TryAsync(List<string> left, Outbox outbox, Inbox inbox, CancellationToken cancellation)
        {
            while (true)
            {
                State = LinkState.Connecting;
                var dial = await Dialer.ConnectAsync(left, cancellation).ConfigureAwait(false);
                try
                {
                    return await ShakeHandsAsync(dial, outbox, inbox, cancellation).ConfigureAwait(false);
                }
                catch (AttemptFailedException failure)
                {
                    var known = CertaintyAt(dial.Address, failure.NamedId);
                    known.Others = left.Count > 0;
                    Certainty = known;
                    if (left.Count == 0 || failure.Ending.IsFinal(known)) throw;
                }
            }
        }

        private async Task<List<string>> LocateAsync(CancellationToken cancellation)
        {
            State = LinkState.Searching;
            var url = target.Url;
            if (url != null)
            {
                var host = url.Zone == null ? url.Host : $"{url.Host}%{url.Zone}";
                var found = Target.ReadIp(url.Host) != null
                    ? new List<string> { Sighting.Format(host, url.Port) }
                    : await Dialer.ResolveAsync(host, url.Port, cancellation).ConfigureAwait(false);
                if (url.Zone != null && !IPAddress.TryParse(host, out _))
                {
                    throw Failed($"there is no zone `{url.Zone}`; use the number of the network interface");
                }
                isGiven = found.Count > 0 || target.Name == null;
                Certainty = new Certainty { Given = isGiven };
                if (found.Count > 0) return found;
                if (target.Name == null)
                {
                    throw Failed($"the host `{url.Host}` has no address; check its name, or use an IP address");
                }
            }
            return Find(cancellation);
        }

        private List<string> Find(CancellationToken cancellation)
        {
            var name = !string.IsNullOrEmpty(server?.Name) ? server.Name : target.Name;
            var search = new Search(options.App, options.DiscoveryPort, options.Local);
            var found = search.Find(name, server, options.SearchTimeout.TotalSeconds, cancellation);
            if (found.Count == 0) throw Lost(HallooError.NotFound, NotFound(name, search.Servers));
            var chosen = Names.LeastBusy(found, one => one.Cluster, one => one.Clients);
            if (chosen == null) throw Lost(HallooError.Ambiguous, Ambiguous(name, found));
            if (server?.Id != chosen.Id) confirmedId = null;
            server = chosen;
            isSecure |= server.Tls;
            answered = new HashSet<string>(server.Sources);
            var candidates = Candidates();
            // An id is searched for in each attempt, since another server may get the address.
            addresses = server.Name != "" ? new List<string>(candidates) : new List<string>();
            return candidates;
        }

        /// <summary>Returns the addresses to try. One that is only claimed is left out if it is one of this machine.</summary>
        private List<string> Candidates()
        {
            var own = new HashSet<string>(Network.OwnAddresses());
            var isHere = server.Sources.Any(source => own.Contains(HostOf(source)));
            return server.Addresses.Where(one => server.Sources.Contains(one) || isHere || !own.Contains(HostOf(one))).ToList();
        }

        private static string HostOf(string address) => address.Substring(0, address.LastIndexOf(':')).Trim('[', ']');

        private Url UrlAt(string address)
        {
            Url url;
            if (server == null)
            {
                url = target.Url.Clone();
            }
            else
            {
                var colon = address.LastIndexOf(':');
                var host = HostOf(address).Split('%');
                var zone = host.Length > 1 ? host[1] : null;
                url = new Url { Host = host[0], Zone = zone, Port = int.Parse(address.Substring(colon + 1)) };
            }
            url.Tls |= isSecure;
            url.Fingerprint = fingerprint;
            return options.Room != null ? Target.InRoom(url, options.Room) : url;
        }

        /// <summary>Completes the handshake, with a new connection for each challenge of the server.</summary>
        private async Task<Connection> ShakeHandsAsync(Dial dial, Outbox outbox, Inbox inbox, CancellationToken cancellation)
        {
            var url = UrlAt(dial.Address);
            string id = server?.Id, challenge = server?.Challenge;
            for (var challenges = 0; ; challenges++)
            {
                var handshake = Ask(url, dial.Address, challenge == null ? null : Begin(id, challenge));
                var connection = await SecureAsync(dial.Client, url, outbox, inbox, cancellation).ConfigureAwait(false);
                HandshakeResponse response = null;
                try
                {
                    response = await connection.OpenAsync(handshake, cancellation).ConfigureAwait(false);
                    if (response.Kind == ResponseKind.Accepted)
                    {
                        Accept(response, handshake, dial.Address);
                        return connection;
                    }
                }
                finally
                {
                    if (response?.Kind != ResponseKind.Accepted) connection.Dispose();
                }
                var isAsked = response.Challenge != null && token != null && (handshake.Exchange == null || response.IsStale);
                if (!isAsked || challenges == MaxChallenges) throw Failure(response, url);
                id = response.ChallengeId;
                challenge = response.Challenge;
                dial = await Dialer.ConnectAsync(new List<string> { dial.Address }, cancellation).ConfigureAwait(false);
            }
        }

        private async Task<Connection> SecureAsync(
            TcpClient client, Url url, Outbox outbox, Inbox inbox, CancellationToken cancellation)
        {
            try
            {
                client.NoDelay = true;
                Stream stream = client.GetStream();
                if (url.Tls) stream = await Dialer.SecureAsync(stream, url, cancellation).ConfigureAwait(false);
                return new Connection(stream, options.MaxMessageBytes, outbox, inbox);
            }
            catch
            {
                client.Dispose();
                throw;
            }
        }

        private Exchange Begin(string id, string challenge)
        {
            var nonce = new byte[16];
            using (var random = RandomNumberGenerator.Create()) random.GetBytes(nonce);
            return token == null ? null : Exchange.Begin(token, id, challenge, nonce);
        }

        private Handshake Ask(Url url, string address, Exchange exchange)
        {
            var id = server != null && server.HasId ? server.Id : null;
            var isClaimed = server != null && !server.Sources.Contains(address);
            return new Handshake
            {
                Url = url,
                Id = id,
                MustConfirm = id != null && (isClaimed || confirmedId == id),
                Token = url.Tls ? token : null,
                Exchange = exchange,
                AwaitsChallenge = token != null && exchange == null && !url.Tls,
                Subprotocols = options.Subprotocols,
                Key = Handshake.NewKey(),
            };
        }

        private void Accept(HandshakeResponse response, Handshake handshake, string address)
        {
            var known = CertaintyAt(address, null);
            known.Proven = response.IsConfirmed || handshake.Exchange != null || fingerprint != null;
            Certainty = known;
            if (response.IsConfirmed) confirmedId = handshake.Id;
            Url = handshake.Url.Shown;
            Subprotocol = response.Subprotocol;
        }

        private Certainty CertaintyAt(string address, string namedId)
        {
            var isFound = namedId != null && server != null
                ? namedId == server.Id && answered.Count > 0
                : answered.Contains(address);
            return new Certainty { Given = isGiven, Found = isFound };
        }

        private AttemptFailedException Failure(HandshakeResponse response, Url url)
        {
            switch (response.Kind)
            {
                case ResponseKind.Refused:
                    var advice = response.Status != 401 ? ""
                        : token == null ? "; set Token to that of the invitation link"
                        : "; the token is wrong: copy that of the invitation link";
                    return new AttemptFailedException(
                        new Ending(EndingKind.Refused, response.Status), HallooError.Refused,
                        $"the server at {url.Shown} refused with {response.Status}: {response.Text}{advice}", response.Status,
                        response.ChallengeId);
                case ResponseKind.WrongServer:
                    return new AttemptFailedException(
                        new Ending(EndingKind.WrongServer), HallooError.WrongServer,
                        $"the server at {url.Shown} is not the right one: {response.Text}");
                case ResponseKind.NoWebSocket:
                    return new AttemptFailedException(
                        new Ending(EndingKind.NoWebSocket), HallooError.ConnectFailed,
                        $"there is no WebSocket server at {url.Shown}: {response.Text}; check the port");
                default:
                    var text = response.Text != "" ? response.Text : "it closed the connection during the handshake";
                    return Failed($"cannot connect to {url.Shown}: {text}; check the port, and whether it needs wss://");
            }
        }

        private static AttemptFailedException Lost(HallooError error, string message) =>
            new AttemptFailedException(new Ending(EndingKind.Lost), error, message);

        private static AttemptFailedException Failed(string message) => Lost(HallooError.ConnectFailed, message);

        private string NotFound(string name, List<ServerInfo> others)
        {
            var nothing = $"no server answered on UDP {options.DiscoveryPort}";
            if (name == null) return $"{nothing}; start one with `halloo serve`, or find out why with `halloo doctor`";
            var names = others.Where(one => one.Name != "").Take(5).Select(one => $"`{one.Name}`").ToList();
            var there = names.Count > 0
                ? $"there is {string.Join(", ", names)}"
                : $"{nothing}; find out why with `halloo doctor`";
            return $"no server named `{Names.Escape(Target.HideToken(name))}` was found; {there}";
        }

        private static string Ambiguous(string name, List<ServerInfo> found)
        {
            var servers = string.Join(", ", found.Take(10).Select(one => $"`{one.Name}` at {one.Url} (id {one.Id})"));
            var what = name == null ? "there are" : $"`{Names.Escape(Target.HideToken(name))}` is the name of";
            return $"{what} {found.Count} servers: {servers}; use an id or an address";
        }
    }
}
