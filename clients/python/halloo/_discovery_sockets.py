"""The UDP sockets of discovery: those that receive beacons, and one for each interface that sends probes."""

import socket
import struct
from typing import Dict, Iterator, List, Optional, Set, Tuple

from ._browser_core import Probe
from ._datagrams import MAX_DATAGRAM_SIZE, Address, probe, to_ip
from ._interfaces import LOOPBACK, Interface, is_near, own_interfaces, searched

FALLBACK_PORTS = 9
IPV6_GROUP = "ff12::8000:8766"
_BROADCAST, _LOOPBACK_BROADCAST = "255.255.255.255", "127.255.255.255"
# So that a flood on one socket does not starve the others.
_DATAGRAMS_PER_TURN = 64


class DiscoverySockets:
    """See the module. With ``local``, nothing is sent to other machines, and nothing from them is accepted."""

    def __init__(self, port: int, local: bool) -> None:
        self._port, self._local = port, local
        self._ports = range(port, min(port + FALLBACK_PORTS, 65535) + 1)
        self._interfaces: List[Interface] = []
        self._senders: Dict[Interface, socket.socket] = {}
        # Without an address of its own: it sends probes to one address, by way of the routes of the system.
        self._askers: Dict[socket.AddressFamily, socket.socket] = {}
        self._receivers: List[socket.socket] = []
        self._ipv6_receiver: Optional[socket.socket] = None
        self._joined: Set[int] = set()
        try:
            self._listen()
            self.refresh()
            if not self._senders and not self._receivers:
                raise OSError("cannot open a UDP socket; check that this program may use the network")
        except BaseException:
            self.close()
            raise

    @property
    def all(self) -> List[socket.socket]:
        """All sockets."""
        return [*self._receivers, *self._senders.values(), *self._askers.values()]

    def close(self) -> None:
        """Close the sockets."""
        for one in self.all:
            one.close()

    def refresh(self) -> bool:
        """Open and close sockets so that they match the current interfaces. Return whether there is a new interface."""
        self._interfaces = own_interfaces()
        current = [LOOPBACK] if self._local else searched(self._interfaces)
        for gone in self._senders.keys() - set(current):
            self._senders.pop(gone).close()
        is_new = False
        for one in current:
            if one not in self._senders:
                opened = _open_sender(one)
                if opened is not None:
                    self._senders[one] = opened
                    is_new = True
        self._join(current)
        return is_new

    def send(self, due: Probe) -> None:
        """Send a probe to one address, or to all on every interface."""
        if due.to is not None:
            self._ask(due.to, due.nonce)
            return
        ports = self._ports if due.is_wide else (self._port,)
        for interface, one in list(self._senders.items()):
            datagram = probe(due.nonce, self._ipv4_beside(interface))
            try:
                for port in ports:
                    one.sendto(datagram, _to_all(interface, port))
            except BlockingIOError:
                # No worse than a loss on the network.
                pass
            except OSError:
                # The interface is gone, or has no broadcasts. It is opened again for the next probe.
                self._senders.pop(interface).close()

    def receive(self) -> Iterator[Tuple[bytes, Address]]:
        """Yield the datagrams that have arrived, of each socket at most so many that a flood does not starve the others."""
        for one in self.all:
            for _ in range(_DATAGRAMS_PER_TURN):
                try:
                    datagram, source = one.recvfrom(MAX_DATAGRAM_SIZE + 1)
                except OSError:
                    # There is none, or a probe was answered with ICMP port unreachable.
                    break
                host = f"{source[0]}%{source[3]}" if len(source) == 4 and source[3] else str(source[0])
                if self._accepts(host):
                    yield datagram, (host, source[1])

    def _accepts(self, host: str) -> bool:
        if self._local:
            return to_ip(host).is_loopback or any(one.host == host for one in self._interfaces)
        return is_near(host, self._interfaces)

    def _listen(self) -> None:
        """Open the sockets for beacons on the first port that is free. Without any, servers that reply are still found."""
        for port in self._ports:
            receiver = _bound(socket.AF_INET, ("", port), is_shared=True)
            if receiver is not None:
                self._receivers.append(receiver)
                break
        else:
            return
        self._ipv6_receiver = None if self._local else _bound(socket.AF_INET6, ("::", port), is_shared=True)
        if self._ipv6_receiver is not None:
            self._receivers.append(self._ipv6_receiver)

    def _join(self, interfaces: List[Interface]) -> None:
        """Join the group on the interfaces that have an IPv6 address. The system leaves it on those that are gone."""
        if self._ipv6_receiver is None:
            return
        current = {one.scope_id for one in interfaces if one.is_ipv6}
        self._joined &= current
        for index in current - self._joined:
            group = socket.inet_pton(socket.AF_INET6, IPV6_GROUP) + struct.pack("@I", index)
            try:
                self._ipv6_receiver.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, group)
            except OSError:
                # It was a member before the interface was down, or has no multicast.
                pass
            self._joined.add(index)

    def _ask(self, to: Address, nonce: str) -> None:
        host, zone = to[0].partition("%")[::2]
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        if family not in self._askers:
            opened = _bound(family, ("::" if family == socket.AF_INET6 else "", 0))
            if opened is None:
                return
            self._askers[family] = opened
        address = (host, to[1], 0, int(zone or 0)) if family == socket.AF_INET6 else (host, to[1])
        try:
            self._askers[family].sendto(probe(nonce), address)
        except OSError:
            # It cannot be reached now.
            pass

    def _ipv4_beside(self, interface: Interface) -> Optional[str]:
        """Return the IPv4 address from which the same probe is sent on this interface."""
        if not interface.is_ipv6 or not interface.name:
            return None
        return next((one.ip for one in self._senders if one.name == interface.name and not one.is_ipv6), None)


def _to_all(interface: Interface, port: int) -> Tuple[object, ...]:
    """Return where a datagram to every machine on this network is sent."""
    if interface.is_ipv6:
        return (IPV6_GROUP, port, 0, interface.scope_id)
    # Loopback does not carry the limited broadcast address, only its directed one.
    return (_LOOPBACK_BROADCAST if interface.ip.startswith("127.") else _BROADCAST, port)


def _open_sender(interface: Interface) -> Optional[socket.socket]:
    if not interface.is_ipv6:
        return _bound(socket.AF_INET, (interface.ip, 0))
    one = _bound(socket.AF_INET6, (interface.ip, 0, 0, interface.scope_id if interface.is_link_local else 0))
    if one is not None and interface.scope_id:
        one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, interface.scope_id)
    return one


def _bound(family: socket.AddressFamily, address: Tuple[object, ...], is_shared: bool = False) -> Optional[socket.socket]:
    try:
        one = socket.socket(family, socket.SOCK_DGRAM)
    except OSError:
        # The system has no IPv6, or no descriptors are left.
        return None
    try:
        if is_shared:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if hasattr(socket, "SO_REUSEPORT"):
                one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            # A socket for IPv4 may have the same port.
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        else:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        one.setblocking(False)
        one.bind(address)
        return one
    except OSError:
        one.close()
        return None
