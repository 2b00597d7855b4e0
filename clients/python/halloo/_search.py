"""The search for servers on the local network."""

import random
import secrets
import socket
import time
from dataclasses import dataclass, field, replace
from typing import Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

from ._datagrams import MAX_DATAGRAM_SIZE, Sighting, format_address, probe, read
from ._drive import SelectWait, Wait, run_blocking
from ._names import best_matches, is_id, is_same_app

DISCOVERY_PORT = 8766
FALLBACK_PORTS = 9
MAX_SERVERS = 256
NAMESAKE_DELAY = 0.2
_START = (0.1, 0.2, 0.4, 0.4) + 6 * (0.7,)
_REGULAR = 3.0
_EVERY_WIDE = 5
_BROADCAST, _LOOPBACK_BROADCAST = "255.255.255.255", "127.255.255.255"


@dataclass(frozen=True)
class ServerInfo:
    """A server that was found. Everything but the addresses in ``sources`` is what the server says about itself."""

    #: Random for each start of the server; its address if it sends none.
    id: str
    #: At most 64 characters, without characters that could deceive; empty if it has none.
    name: str
    #: The address to connect to.
    url: str
    #: All addresses to try, best first.
    addresses: Tuple[str, ...]
    #: The number of connected clients, if it is known.
    clients: Optional[int]
    #: Whether a token is required.
    auth: bool
    #: Whether TLS is required.
    tls: bool
    #: The application id, if there is one.
    app: Optional[str]
    #: The properties.
    meta: Mapping[str, str]
    #: The addresses that it was heard from.
    sources: Tuple[str, ...]
    challenge: Optional[str] = field(default=None, repr=False, compare=False)

    @property
    def has_id(self) -> bool:
        """Whether the server sends an id."""
        return self.id not in self.addresses


def discover(
    timeout: float = 3.0, *, app: Optional[str] = None, local: bool = False, port: int = DISCOVERY_PORT
) -> List[ServerInfo]:
    """Return the servers that are found within ``timeout`` seconds, in the order in which they were found.

    ``app`` leaves out servers with another application id, ``local`` those on other machines. ``port`` is the UDP port of
    discovery.
    """
    search = Search(app, port, local)
    run_blocking(search.run(timeout, lambda servers: None))
    return search.servers


def find(
    name: str, timeout: float = 3.0, *, app: Optional[str] = None, local: bool = False, port: int = DISCOVERY_PORT
) -> List[ServerInfo]:
    """Return the servers with this name or id: none, one, or several of the same name.

    It waits for the first one for at most ``timeout`` seconds, and then 200 ms for others with the same name.
    """
    return run_blocking(Search(app, port, local).find(name, timeout))[0]


def intervals(chance: Callable[[], float] = random.random) -> Iterator[Tuple[float, bool]]:
    """Yield for each probe the time to the next one, and whether it goes to all ports."""
    number = 0
    while True:
        delay = _START[number] if number < len(_START) else _REGULAR
        yield delay * (0.95 + 0.1 * chance()), number % _EVERY_WIDE == 0
        number += 1


def to_server(seen: Sighting) -> ServerInfo:
    """Return what is known of a server that was seen once."""
    addresses = tuple(format_address(address) for address in seen.addresses)
    source = format_address(seen.source)
    scheme = "wss" if seen.tls else "ws"
    return ServerInfo(
        seen.id or source, seen.name, f"{scheme}://{addresses[0]}", addresses, seen.clients, seen.auth, seen.tls, seen.app,
        seen.meta, (source,), seen.challenge,
    )


class Search:
    """One search, which waits only through ``wait``."""

    def __init__(
        self,
        app: Optional[str] = None,
        port: int = DISCOVERY_PORT,
        local: bool = False,
        wait: Optional[Wait] = None,
    ) -> None:
        self._app, self._port, self._local = app, port, local
        self._wait = wait or SelectWait()
        self._nonce = secrets.token_hex(8)
        self._known: Dict[str, Tuple[Sighting, ServerInfo]] = {}

    @property
    def servers(self) -> List[ServerInfo]:
        """The servers that were found."""
        found = (server for _, server in self._known.values())
        return [one for one in found if self._app is None or (one.app is not None and is_same_app(one.app, self._app))]

    async def find(self, name: Optional[str], timeout: float) -> Tuple[List[ServerInfo], List[ServerInfo]]:
        """Return the servers that a name means, or all, and the others."""
        deadline = [time.monotonic() + timeout]

        def matching(servers: List[ServerInfo]) -> List[ServerInfo]:
            return servers if name is None else best_matches(name, servers, lambda one: (one.id, one.name))

        def until(servers: List[ServerInfo]) -> Optional[float]:
            found = matching(servers)
            if name is not None and any(is_id(name, one.id) for one in found):
                return 0.0
            if found and len(deadline) == 1:
                deadline.append(min(deadline[0], time.monotonic() + NAMESAKE_DELAY))
            return deadline[-1]

        await self.run(timeout, until)
        found = matching(self.servers)
        return found, [one for one in self.servers if one not in found]

    async def run(self, timeout: float, until: Callable[[List[ServerInfo]], Optional[float]]) -> None:
        """Search until the timeout, or the earlier time that ``until`` returns for what was found."""
        deadline = time.monotonic() + timeout
        sockets = self._open()
        try:
            schedule, due = intervals(), time.monotonic()
            while True:
                earlier = until(self.servers)
                end, now = deadline if earlier is None else min(deadline, earlier), time.monotonic()
                if now >= end:
                    return
                if now >= due:
                    delay, is_wide = next(schedule)
                    self._probe(sockets, is_wide)
                    due = now + delay
                for ready in (await self._wait.wait(sockets, (), max(0.0, min(due, end) - now)))[0]:
                    self._receive(ready)
        finally:
            for one in sockets:
                one.close()

    def _open(self) -> List[socket.socket]:
        """Open a socket for each address of this machine, and one for beacons."""
        own = ["127.0.0.1"] if self._local else own_addresses()
        sockets = [one for one in (_bound(ip, 0) for ip in own) if one]
        ports = range(self._port, min(self._port + FALLBACK_PORTS, 65535) + 1)
        listener = next((one for one in (_bound("", port) for port in ports) if one), None)
        if not sockets and listener is None:
            raise OSError("cannot open a UDP socket; check that this program may use the network")
        return sockets + ([listener] if listener else [])

    def _probe(self, sockets: Sequence[socket.socket], is_wide: bool) -> None:
        ports = range(self._port, min(self._port + FALLBACK_PORTS, 65535) + 1) if is_wide else (self._port,)
        for one in sockets:
            ip = one.getsockname()[0]
            to = _LOOPBACK_BROADCAST if ip.startswith("127.") else _BROADCAST
            for port in ports if ip != "0.0.0.0" else ():
                try:
                    one.sendto(probe(self._nonce), (to, port))
                except OSError:
                    # This network is gone, or has no broadcasts.
                    pass

    def _receive(self, ready: socket.socket) -> None:
        try:
            datagram, source = ready.recvfrom(MAX_DATAGRAM_SIZE + 1)
        except OSError:
            # Usually ICMP port unreachable in response to a probe.
            return
        seen = read(datagram, (source[0], source[1]), self._nonce)
        if seen is not None and (not self._local or source[0].startswith("127.")):
            self._observe(seen)

    def _observe(self, seen: Sighting) -> None:
        server = to_server(seen)
        known, before = self._known.get(server.id, (None, None))
        if known is None or before is None:
            if len(self._known) < MAX_SERVERS:
                self._known[server.id] = (seen, server)
            return
        if seen.source != known.source and not _is_same(known, seen):
            # Two machines with one id, or an impostor: both are listed, and none replaces the other.
            address = format_address(seen.source)
            if len(self._known) < MAX_SERVERS and address not in self._known:
                self._known[address] = (seen, replace(server, id=address))
            return
        # A reply says more than a beacon, and an address of the network is of use to other machines as well.
        newest, older = (seen, known) if seen.is_reply or not known.is_reply else (known, seen)
        sources = tuple(dict.fromkeys((*before.sources, *server.sources)))
        best = sorted(sources, key=lambda address: address.startswith("127."))
        claimed = [one for one in (*before.addresses, *server.addresses) if one not in best]
        claims_first = newest.addresses[0] != newest.source
        addresses = tuple(dict.fromkeys((*claimed, *best) if claims_first else (*best, *claimed)))[:8]
        url = f"{'wss' if newest.tls else 'ws'}://{addresses[0]}"
        merged = to_server(newest._replace(challenge=newest.challenge or older.challenge))
        self._known[server.id] = (newest, replace(merged, url=url, addresses=addresses, sources=tuple(best)))


def _is_same(known: Sighting, seen: Sighting) -> bool:
    """Return whether a server with the same id at another address is the same one: one of both lists the other address, or
    it is this machine."""
    is_listed = seen.source in known.addresses or known.source in seen.addresses
    is_local = seen.source[0].startswith("127.") or known.source[0].startswith("127.")
    return is_listed or (is_local and seen.source[1] == known.source[1])


def _bound(ip: str, port: int) -> Optional[socket.socket]:
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        if port:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if hasattr(socket, "SO_REUSEPORT"):
                one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        one.setblocking(False)
        one.bind((ip, port))
        return one
    except OSError:
        one.close()
        return None


def own_addresses() -> List[str]:
    """Return the IPv4 addresses of this machine, as far as the standard library finds them."""
    found = ["127.0.0.1", *_interface_addresses()]
    if len(found) == 1:
        try:
            found += [str(info[4][0]) for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)]
        except OSError:
            pass
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        try:
            # It sends nothing, and finds the address of the default route.
            one.connect(("192.0.2.1", 9))
            found.append(one.getsockname()[0])
        except OSError:
            pass
    return list(dict.fromkeys(found))


def _interface_addresses() -> List[str]:
    """Return the addresses of all interfaces, where the system lists them: on Linux."""
    try:
        import fcntl
        import struct
    except ImportError:
        return []
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        for _, name in socket.if_nameindex():
            try:
                # SIOCGIFADDR of Linux.
                answer = fcntl.ioctl(one.fileno(), 0x8915, struct.pack("256s", name.encode()[:15]))
                found.append(socket.inet_ntoa(answer[20:24]))
            except OSError:
                pass
    return found
