using System;
using System.Collections.Generic;
using System.Linq;
using System.Net;
using System.Net.Sockets;

namespace HallooClient
{
    /// <summary>
    /// The UDP sockets of a search: one for each IPv4 address, one for an IPv6 address and one for the link-local one of each
    /// interface, and those that receive beacons.
    /// </summary>
    internal sealed class DiscoverySockets : IDisposable
    {
        private const int FallbackPorts = 9;

        private static readonly IPAddress LoopbackBroadcast = IPAddress.Parse("127.255.255.255");

        private readonly int port;
        private readonly List<Sender> senders = new List<Sender>();
        private readonly List<Socket> listeners = new List<Socket>();

        public DiscoverySockets(int port, bool isLocal)
        {
            this.port = port;
            foreach (var network in isLocal ? new List<Network> { Network.Loopback } : Network.Searched())
            {
                var socket = TryBind(network.Address, 0);
                if (socket != null) senders.Add(new Sender(socket, network));
            }
            Listen(isLocal);
            if (senders.Count > 0 || listeners.Count > 0) return;
            throw new AttemptFailedException(
                new Ending(EndingKind.Lost), HallooError.ConnectFailed,
                "cannot open a UDP socket to search for servers; check that this program may use the network");
        }

        public IEnumerable<Socket> All => senders.Select(one => one.Socket).Concat(listeners);

        private IEnumerable<int> Ports => Enumerable.Range(port, Math.Min(FallbackPorts, 65535 - port) + 1);

        /// <summary>Sends a probe to all servers, perhaps also to the ports that a server falls back to.</summary>
        public void Probe(string nonce, bool isWide)
        {
            foreach (var one in senders)
            {
                var probe = Sighting.Probe(nonce, one.Network.Beside?.ToString());
                foreach (var toPort in isWide ? Ports : new[] { port })
                {
                    try
                    {
                        one.Socket.SendTo(probe, new IPEndPoint(one.To, toPort));
                    }
                    catch (SocketException)
                    {
                        // This network is gone, or has no broadcasts.
                    }
                }
            }
        }

        public void Dispose()
        {
            foreach (var one in All) one.Dispose();
        }

        /// <summary>Opens the sockets for beacons on the first port that is free.</summary>
        private void Listen(bool isLocal)
        {
            var ipv4 = Ports.Select(one => TryBind(IPAddress.Any, one)).FirstOrDefault(one => one != null);
            if (ipv4 == null) return;
            listeners.Add(ipv4);
            var ipv6 = isLocal ? null : TryBind(IPAddress.IPv6Any, ((IPEndPoint)ipv4.LocalEndPoint).Port);
            if (ipv6 == null) return;
            listeners.Add(ipv6);
            foreach (var index in senders.Where(one => one.Network.IsIPv6).Select(one => one.Network.Index).Distinct())
            {
                try
                {
                    var membership = new IPv6MulticastOption(Network.Group(0), index);
                    ipv6.SetSocketOption(SocketOptionLevel.IPv6, SocketOptionName.AddMembership, membership);
                }
                catch (SocketException)
                {
                    // This network has no multicast.
                }
            }
        }

        private static Socket TryBind(IPAddress ip, int port)
        {
            Socket one = null;
            try
            {
                one = new Socket(ip.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
                if (port != 0) one.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
                // A socket for IPv4 may have the same port.
                if (ip.AddressFamily == AddressFamily.InterNetworkV6) one.DualMode = false;
                else one.EnableBroadcast = true;
                one.Blocking = false;
                one.Bind(new IPEndPoint(ip, port));
                return one;
            }
            catch (SocketException)
            {
                one?.Dispose();
                return null;
            }
        }

        /// <summary>A socket, and where its probes go.</summary>
        private sealed class Sender
        {
            public Sender(Socket socket, Network network)
            {
                Socket = socket;
                Network = network;
                To = network.IsIPv6 ? Network.Group(network.Index)
                    : IPAddress.IsLoopback(network.Address) ? LoopbackBroadcast
                    : IPAddress.Broadcast;
            }

            public Socket Socket { get; }

            public Network Network { get; }

            public IPAddress To { get; }
        }
    }
}
