using System;
using System.Collections.Generic;

namespace HallooClient
{
    /// <summary>The settings of a link.</summary>
    public sealed class LinkOptions
    {
        /// <summary>The token; null for that of the invitation link. Without TLS, it is proven and never sent.</summary>
        public string Token { get; set; }

        /// <summary>
        /// The fingerprint of the only certificate to accept; null for that of the invitation link, or else for the
        /// certificates that the system trusts.
        /// </summary>
        public string Fingerprint { get; set; }

        /// <summary>The room to join; null for none.</summary>
        public string Room { get; set; }

        /// <summary>The application id of the server; null for any.</summary>
        public string App { get; set; }

        /// <summary>The subprotocols to offer.</summary>
        public IReadOnlyList<string> Subprotocols { get; set; } = new string[0];

        /// <summary>The most messages that wait, in either direction.</summary>
        public int MaxQueuedMessages { get; set; } = 16384;

        /// <summary>The most bytes of messages that wait, in either direction.</summary>
        public long MaxQueuedBytes { get; set; } = 16 << 20;

        /// <summary>The largest message to receive, in bytes; a larger one closes the connection with 1009.</summary>
        public int MaxMessageBytes { get; set; } = 1 << 20;

        /// <summary>The most attempts in a row without a connection of 10 s; null for no limit.</summary>
        public int? MaxAttempts { get; set; }

        /// <summary>The longest time without such a connection; null for no limit.</summary>
        public TimeSpan? MaxElapsed { get; set; }

        /// <summary>The length of one search.</summary>
        public TimeSpan SearchTimeout { get; set; } = TimeSpan.FromSeconds(3);

        /// <summary>Whether to search on this machine only.</summary>
        public bool Local { get; set; }

        /// <summary>The UDP port of discovery.</summary>
        public int DiscoveryPort { get; set; } = Search.DiscoveryPort;

        /// <summary>In Unity: whether the application calls <see cref="Link.Poll"/> itself.</summary>
        public bool ManualPoll { get; set; }
    }
}
