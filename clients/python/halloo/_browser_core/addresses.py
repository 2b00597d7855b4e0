"""The addresses of one server: those it was heard from, and those it lists."""

import ipaddress
from typing import List, Optional, Sequence, Tuple

from .._datagrams import MAX_ADDRESSES, Address, Announcement, to_ip
from .source import source_of


class Addresses:
    """See the module."""

    def __init__(self, seen: Sequence[Address] = (), replies_from: Sequence[Address] = ()) -> None:
        #: Those that its datagrams came from, best first. All but the first one are proven.
        self.seen = list(seen)
        self._listed: Tuple[Address, ...] = ()
        # The listed ones were configured, because the server does not know its own.
        self._prefers_listed = False
        # Where its proofs came from, where it also receives probes.
        self._replies_from = list(replies_from)

    def can_include(self, address: Address) -> bool:
        """Return whether the server itself says that it is at ``address``, or the address is loopback, which is this
        machine."""
        is_same_port = not self.seen or self.seen[0][1] == address[1]
        return address in self._listed or (is_same_port and to_ip(address[0]).is_loopback)

    def contain_ip(self, host: str) -> bool:
        """Return whether one of them has this IP address."""
        return any(own == host for own, _ in (*self.seen, *self._listed))

    def source(self) -> Optional[bytes]:
        """Return what has a share of the table because of this server."""
        return source_of(self.seen[0][0]) if self.seen else None

    def add_claimed(self, address: Address) -> None:
        """Add the first one, which is not proven."""
        if not self.seen:
            self.seen.append(address)

    def add_proven(self, reply: Announcement, address: Address, sender: Address) -> None:
        """Add one that was proven by a reply from ``sender``. Those that the reply does not list are of another server, which
        named this one as itself."""
        # A response over TCP has no UDP port.
        if sender[1] != 0:
            others = [known for known in self._replies_from if known[0] != sender[0]]
            self._replies_from = [*others[: MAX_ADDRESSES - 1], sender]
        if address in self.seen or len(self.seen) >= MAX_ADDRESSES:
            return
        is_loopback = to_ip(address[0]).is_loopback
        self.seen = [own for own in self.seen if is_loopback or to_ip(own[0]).is_loopback or reply.lists(own[0])]
        # Datagrams on loopback come first, but other machines can also use an address of the network.
        self.seen = sorted([*self.seen, address], key=_rank)

    def set_listed(self, listed: Optional[Tuple[Address, ...]], is_preferred: bool) -> None:
        """Replace those that the server lists."""
        self._listed = self._listed if listed is None else listed
        self._prefers_listed = is_preferred

    def are_listed(self, listed: Optional[Tuple[Address, ...]], is_preferred: bool) -> bool:
        """Return whether ``set_listed`` would change nothing."""
        return listed in (None, self._listed) and is_preferred == self._prefers_listed

    def remove(self, address: Address) -> bool:
        """Remove one. Return whether none is left."""
        self.seen = [own for own in self.seen if own != address]
        self._listed = tuple(own for own in self._listed if own != address)
        return not self.seen

    def receives_at(self, address: Address, discovery_port: int) -> Address:
        """Return where the server receives probes that are sent to the IP address of ``address``."""
        default = (address[0], discovery_port)
        return next((known for known in self._replies_from if known[0] == address[0]), default)

    def best_first(self) -> Tuple[Address, ...]:
        """Return those to connect to."""
        both: List[Address] = [*self._listed, *self.seen] if self._prefers_listed else [*self.seen, *self._listed]
        return tuple(dict.fromkeys(both))[:MAX_ADDRESSES]


def _rank(address: Address) -> int:
    """Return how good an address is, best first: one with a zone is of no use to web browsers, and loopback of none to other
    machines."""
    ip = to_ip(address[0])
    if ip.is_loopback:
        return 3
    if isinstance(ip, ipaddress.IPv6Address):
        return 2 if ip.is_link_local else 1
    return 0
