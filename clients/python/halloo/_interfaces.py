"""The addresses of this machine, as far as the standard library finds them."""

import ipaddress
import socket
import struct
from typing import Dict, Iterator, List, NamedTuple, Sequence

from ._datagrams import to_ip

_LINUX_INTERFACES = "/proc/net/if_inet6"
# In that file, an address that cannot be used, or not yet (RFC 4862 section 5.4).
_TENTATIVE, _DUPLICATE = 0x40, 0x08
# Requests of Linux (netdevice(7)).
_SIOCGIFADDR, _SIOCGIFNETMASK = 0x8915, 0x891B
_NEAR = [
    ipaddress.ip_network(text)
    for text in (
        *("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "100.64.0.0/10"),
        *("::1/128", "fe80::/10", "fc00::/7"),
    )
]


class Interface(NamedTuple):
    """One address of an interface."""

    #: Empty if it is not known.
    name: str
    #: The number that is the zone of its link-local addresses; 0 if it is not known.
    scope_id: int
    #: Without a zone.
    ip: str
    #: How many bits of the address are those of its network; 0, with which it contains every address, if that is not known.
    prefix: int

    @property
    def is_ipv6(self) -> bool:
        """Whether the address is one of IPv6."""
        return ":" in self.ip

    @property
    def is_link_local(self) -> bool:
        """Whether the address is only valid together with the interface."""
        return self.is_ipv6 and to_ip(self.ip).is_link_local

    @property
    def host(self) -> str:
        """The address with its zone, if it needs one."""
        return f"{self.ip}%{self.scope_id}" if self.is_link_local else self.ip


LOOPBACK = Interface("", 0, "127.0.0.1", 8)


def own_interfaces() -> List[Interface]:
    """Return the addresses of this machine."""
    found = [LOOPBACK, *_linux_ipv4(), *_linux_ipv6()]
    if len(found) == 1:
        found += _of_host_name()
    for family, anywhere in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        found += _of_default_route(family, anywhere)
    by_ip: Dict[str, Interface] = {}
    for one in found:
        by_ip.setdefault(one.host, one)
    return list(by_ip.values())


def own_addresses() -> List[str]:
    """Return the addresses of this machine, with their zones."""
    return [one.host for one in own_interfaces()]


def searched(interfaces: Sequence[Interface]) -> List[Interface]:
    """Return the interfaces to search on: loopback, every IPv4 address, and of each interface one IPv6 address and the
    link-local one. A server without IPv4 may be on any network, and a link-local address reaches all of a link."""
    ipv6: Dict[object, Interface] = {}
    for one in interfaces:
        if one.is_ipv6 and not to_ip(one.ip).is_loopback:
            ipv6.setdefault((one.scope_id or one.ip, one.is_link_local), one)
    return [one for one in interfaces if not one.is_ipv6] + list(ipv6.values())


def is_near(host: str, interfaces: Sequence[Interface]) -> bool:
    """Return whether a datagram from this address can come from the local network. Routers forward no broadcasts, so any other
    one is forged."""
    ip = to_ip(host)
    attached = (ipaddress.ip_network(f"{one.ip}/{one.prefix}", strict=False) for one in interfaces)
    return any(ip in network for network in _NEAR) or any(ip in network for network in attached)


def _linux_ipv4() -> Iterator[Interface]:
    try:
        import fcntl
    except ImportError:
        return
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        for index, name in socket.if_nameindex():
            request = struct.pack("256s", name.encode()[:15])
            try:
                ip, mask = (fcntl.ioctl(one.fileno(), what, request)[20:24] for what in (_SIOCGIFADDR, _SIOCGIFNETMASK))
            except OSError:
                # It has no IPv4 address, or this is another system.
                continue
            yield Interface(name, index, socket.inet_ntoa(ip), bin(int.from_bytes(mask, "big")).count("1"))


def _linux_ipv6() -> Iterator[Interface]:
    try:
        with open(_LINUX_INTERFACES, encoding="ascii") as file:
            lines = file.readlines()
    except OSError:
        return
    for line in lines:
        digits, index, prefix, _, flags, name = line.split()
        if not int(flags, 16) & (_TENTATIVE | _DUPLICATE):
            yield Interface(name, int(index, 16), str(ipaddress.IPv6Address(bytes.fromhex(digits))), int(prefix, 16))


def _of_host_name() -> Iterator[Interface]:
    try:
        found = socket.getaddrinfo(socket.gethostname(), None, type=socket.SOCK_DGRAM)
    except OSError:
        return
    for family, _, _, _, address in found:
        if family in (socket.AF_INET, socket.AF_INET6):
            index = int(address[3]) if len(address) == 4 else 0
            yield Interface("", index, str(address[0]).partition("%")[0], 0)


def _of_default_route(family: socket.AddressFamily, anywhere: str) -> Iterator[Interface]:
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as one:
            # It sends nothing.
            one.connect((anywhere, 9))
            yield Interface("", 0, one.getsockname()[0], 0)
    except OSError:
        pass
