"""The search for servers on the local network."""

import time
from typing import Callable, Iterable, List, Optional, Tuple

from ._datagrams import Address
from ._discovery import Discovery
from ._drive import SelectWait, Wait, run_blocking
from ._names import best_matches, is_id
from ._server_info import ServerInfo

__all__ = ["DISCOVERY_PORT", "Search", "ServerInfo", "discover", "find"]

DISCOVERY_PORT = 8766
NAMESAKE_DELAY = 0.2


def discover(
    timeout: float = 3.0, *, app: Optional[str] = None, local: bool = False, port: int = DISCOVERY_PORT
) -> List[ServerInfo]:
    """Return the servers that are found within ``timeout`` seconds, in the order in which they were found.

    ``app`` leaves out servers with another application id, ``local`` those on other machines. ``port`` is the UDP port of
    discovery.
    """
    return run_blocking(Search(app, port, local).run(timeout, lambda servers: None))


def find(
    name: str, timeout: float = 3.0, *, app: Optional[str] = None, local: bool = False, port: int = DISCOVERY_PORT
) -> List[ServerInfo]:
    """Return the servers with this name or id: none, one, or several of the same name.

    It waits for the first one for at most ``timeout`` seconds, and then 200 ms for others with the same name.
    """
    return run_blocking(Search(app, port, local).find(name, timeout))[0]


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
        #: The servers that were found.
        self.servers: List[ServerInfo] = []

    async def find(
        self, name: Optional[str], timeout: float, at: Iterable[Address] = ()
    ) -> Tuple[List[ServerInfo], List[ServerInfo]]:
        """Return the servers that a name means, or all, and the others. It is also asked for at the addresses ``at``."""
        namesakes_end: List[float] = []

        def matching(servers: List[ServerInfo]) -> List[ServerInfo]:
            return servers if name is None else best_matches(name, servers, lambda one: (one.id, one.name))

        def until(servers: List[ServerInfo]) -> Optional[float]:
            found = matching(servers)
            if name is not None and any(is_id(name, one.id) for one in found):
                return 0.0
            if found and not namesakes_end:
                namesakes_end.append(time.monotonic() + NAMESAKE_DELAY)
            return namesakes_end[0] if namesakes_end else None

        servers = await self.run(timeout, until, at)
        found = matching(servers)
        return found, [one for one in servers if one not in found]

    async def run(
        self, timeout: float, until: Callable[[List[ServerInfo]], Optional[float]], at: Iterable[Address] = ()
    ) -> List[ServerInfo]:
        """Search until the timeout, or the earlier time that ``until`` returns for what was found. Return the servers."""
        deadline = time.monotonic() + timeout
        discovery = Discovery(self._port, self._local, self._app, at=at)
        try:
            while True:
                self.servers = discovery.servers
                earlier = until(self.servers)
                end = deadline if earlier is None else min(deadline, earlier)
                if time.monotonic() >= end:
                    return self.servers
                await discovery.next_changes(self._wait, end)
        finally:
            discovery.close()
