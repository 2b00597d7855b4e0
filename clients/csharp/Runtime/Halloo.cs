using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;

namespace HallooClient
{
    /// <summary>Finds halloo servers on the local network, and connects to them.</summary>
    public static class Halloo
    {
        /// <summary>What a call without options uses; tests change it.</summary>
        internal static Func<LinkOptions> NewOptions { get; set; } = () => new LinkOptions();

        /// <summary>Called with each link, so that an engine calls <see cref="Link.Poll"/>.</summary>
        internal static Action<Link> LinkCreated { get; set; }

        /// <summary>
        /// Returns the servers that are found within a time, three seconds by default; with <paramref name="app"/> only those
        /// with this application id.
        /// </summary>
        public static async Task<IReadOnlyList<ServerInfo>> DiscoverAsync(
            TimeSpan? timeout = null, string app = null, CancellationToken cancellation = default, bool local = false,
            int discoveryPort = Search.DiscoveryPort)
        {
            var search = new Search(app, discoveryPort, local);
            var seconds = (timeout ?? TimeSpan.FromSeconds(3)).TotalSeconds;
            try
            {
                await Task.Run(() => search.Run(seconds, cancellation, () => double.PositiveInfinity), cancellation);
            }
            catch (AttemptFailedException failure)
            {
                throw failure.Error;
            }
            return search.Servers;
        }

        /// <summary>
        /// Returns a link to a server, which begins to connect. The target is a name or an id, an address
        /// (<c>ws://192.168.1.5:8765</c>), an invitation link, or null for the only server there is.
        /// </summary>
        /// <exception cref="HallooException">The address, the token, the fingerprint or the room is invalid.</exception>
        public static Link Connect(string target = null, LinkOptions options = null)
        {
            options = options ?? NewOptions();
            var link = new Link(target, options);
            if (!options.ManualPoll) LinkCreated?.Invoke(link);
            return link;
        }
    }
}
