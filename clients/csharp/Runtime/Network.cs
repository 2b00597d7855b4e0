using System;
using System.Collections.Generic;
using System.Linq;
using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;

namespace HallooClient
{
    /// <summary>One address of this machine, and the network that it is on.</summary>
    internal sealed class Network
    {
        public static readonly Network Loopback = new Network(IPAddress.Loopback, 0, null);

        private Network(IPAddress address, long index, IPAddress beside)
        {
            Address = address;
            Index = index;
            Beside = beside;
        }

        public IPAddress Address { get; }

        /// <summary>The number of the interface, which is the zone of its link-local addresses; 0 over IPv4.</summary>
        public long Index { get; }

        /// <summary>Over IPv6, the IPv4 address of the same interface, if it has one.</summary>
        public IPAddress Beside { get; }

        public bool IsIPv6 => Address.AddressFamily == AddressFamily.InterNetworkV6;

        /// <summary>Returns the group that servers and clients join on an interface.</summary>
        public static IPAddress Group(long index)
        {
            var group = IPAddress.Parse("ff12::8000:8766").GetAddressBytes();
            return new IPAddress(group, index);
        }

        /// <summary>
        /// Returns where to search: on each IPv4 address, and of each interface on one IPv6 address and on the link-local one.
        /// A server without IPv4 may be on any network, and a link-local address reaches all of a link.
        /// </summary>
        public static List<Network> Searched()
        {
            var found = new List<Network> { Loopback };
            foreach (var addresses in Interfaces())
            {
                var ipv4 = addresses.Where(ip => ip.AddressFamily == AddressFamily.InterNetwork).ToList();
                found.AddRange(ipv4.Where(ip => !ip.Equals(IPAddress.Loopback)).Select(ip => new Network(ip, 0, null)));
                var ipv6 = addresses.Where(ip => ip.AddressFamily == AddressFamily.InterNetworkV6).ToList();
                // Mono does not implement the number of an interface, and a link-local address contains it.
                var link = ipv6.FirstOrDefault(ip => ip.IsIPv6LinkLocal && ip.ScopeId != 0);
                if (link == null) continue;
                var other = ipv6.FirstOrDefault(ip => !ip.IsIPv6LinkLocal && !IPAddress.IsLoopback(ip));
                foreach (var ip in new[] { other, link }.Where(ip => ip != null))
                {
                    found.Add(new Network(ip, link.ScopeId, ipv4.FirstOrDefault()));
                }
            }
            return found;
        }

        /// <summary>Returns the addresses of this machine, those that are link-local with their zone.</summary>
        public static IEnumerable<string> OwnAddresses() =>
            Interfaces().SelectMany(one => one).Concat(new[] { IPAddress.Loopback }).Select(ip => ip.ToString()).Distinct();

        /// <summary>Returns the addresses of each interface.</summary>
        private static List<List<IPAddress>> Interfaces()
        {
            try
            {
                return NetworkInterface.GetAllNetworkInterfaces()
                    .Select(one => one.GetIPProperties().UnicastAddresses.Select(address => address.Address).ToList())
                    .ToList();
            }
            catch (Exception error) when (error is NetworkInformationException || error is NotImplementedException)
            {
                // The platform does not list them, so only the default route is searched.
                return new List<List<IPAddress>> { new List<IPAddress> { DefaultAddress() } };
            }
        }

        private static IPAddress DefaultAddress()
        {
            using (var one = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp))
            {
                try
                {
                    // It sends nothing, and finds the address of the default route.
                    one.Connect(IPAddress.Parse("192.0.2.1"), 9);
                    return ((IPEndPoint)one.LocalEndPoint).Address;
                }
                catch (SocketException)
                {
                    return IPAddress.Loopback;
                }
            }
        }
    }
}
