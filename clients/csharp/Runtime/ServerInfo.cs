using System.Collections.Generic;
using System.Linq;

namespace HallooClient
{
    /// <summary>A server that was found. Everything but <see cref="Sources"/> is what the server says about itself.</summary>
    public sealed class ServerInfo
    {
        internal ServerInfo(Sighting seen)
        {
            Seen = seen;
            Id = seen.Id ?? seen.Source;
            HasId = seen.Id != null;
            Sources = new[] { seen.Source };
            Addresses = seen.Addresses;
        }

        /// <summary>Its id, which is new after each start; its address if it has none.</summary>
        public string Id { get; internal set; }

        /// <summary>Its name.</summary>
        public string Name => Seen.Name;

        /// <summary>Its address, such as <c>ws://192.168.1.5:8765</c>.</summary>
        public string Url => (Tls ? "wss://" : "ws://") + Addresses[0];

        /// <summary>The addresses to try, best first.</summary>
        public IReadOnlyList<string> Addresses { get; internal set; }

        /// <summary>The addresses that it was heard from.</summary>
        public IReadOnlyList<string> Sources { get; internal set; }

        /// <summary>The number of its clients, if it is known.</summary>
        public long? Clients => Seen.Clients;

        /// <summary>Whether it requires a token.</summary>
        public bool Auth => Seen.Auth;

        /// <summary>Whether it requires TLS.</summary>
        public bool Tls => Seen.Tls;

        /// <summary>Its application id; null if it has none.</summary>
        public string App => Seen.App;

        /// <summary>The cluster that it belongs to; null if it belongs to none.</summary>
        public string Cluster => Seen.Cluster;

        /// <summary>Its properties.</summary>
        public IReadOnlyDictionary<string, string> Meta => Seen.Meta;

        internal Sighting Seen { get; private set; }

        internal bool HasId { get; set; }

        internal string Challenge => Seen.Challenge;

        /// <summary>
        /// Returns whether a server with the same id at another address is this one: one of both lists the other address, or
        /// it is this machine.
        /// </summary>
        internal bool IsAlso(Sighting seen)
        {
            if (Addresses.Concat(Sources).Contains(seen.Source) || seen.Addresses.Intersect(Sources).Any()) return true;
            var isLocal = seen.Source.StartsWith("127.") || Sources.Any(source => source.StartsWith("127."));
            return isLocal && Port(seen.Source) == Port(Sources[0]);
        }

        internal void Merge(Sighting seen)
        {
            // A reply says more than a beacon, and an address of the network is of use to other machines as well.
            if (seen.IsReply || !Seen.IsReply) Seen = seen;
            Sources = Sources.Concat(new[] { seen.Source }).Distinct().OrderBy(Rank).ToList();
            var claimed = Addresses.Concat(seen.Addresses).Except(Sources);
            var isClaimFirst = Seen.Addresses[0] != Seen.Source;
            Addresses = (isClaimFirst ? claimed.Concat(Sources) : Sources.Concat(claimed)).Distinct().Take(8).ToList();
        }

        /// <summary>Returns how good an address is: loopback is of no use to other machines.</summary>
        private static int Rank(string address) =>
            address.StartsWith("127.") ? 3 : address.StartsWith("[fe80:") ? 2 : address.StartsWith("[") ? 1 : 0;

        private static string Port(string address) => address.Substring(address.LastIndexOf(':'));
    }
}
