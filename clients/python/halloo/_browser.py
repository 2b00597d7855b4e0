"""A live list of the servers on the local network."""

import math
import threading
from typing import Dict, Iterator, List, NamedTuple, Optional

from ._browser_core import Change
from ._discovery import Discovery
from ._drive import BlockingWait, run_blocking
from ._errors import Closed, HallooError
from ._search import DISCOVERY_PORT
from ._server_info import ServerInfo
from ._wait import Aborted, Waiter

# How an event is merged with an earlier one of the same server that the application has not taken. What was found and lost
# meanwhile is no event.
_MERGED = {("found", "updated"): "found", ("found", "lost"): None, ("lost", "found"): "updated"}


class BrowserEvent(NamedTuple):
    """A change of the list: a server was ``found``, ``updated`` or ``lost``."""

    kind: str
    server: ServerInfo


class Browser:
    """The servers on the local network. A context manager, and an iterator of the events.

    A server is found within milliseconds, even while it has clients. It is lost within 100 ms when it stops, and within ten
    seconds when it stops responding. Forged datagrams do not hide, move or change a server that answers.

    ``app`` leaves out servers with another application id, ``ignore`` the one with this id, and ``local`` those on other
    machines. ``discovery_port`` is the UDP port of discovery. When ``stop`` is set, the list ends at once. An iteration ends
    when there was no event for ``timeout`` seconds; the default is no limit.

    Events that are not taken are merged, one per server, so that memory stays bounded and the application still learns the
    current state. Raises ``OSError`` if no socket can be opened.
    """

    def __init__(
        self,
        *,
        app: Optional[str] = None,
        ignore: Optional[str] = None,
        local: bool = False,
        discovery_port: int = DISCOVERY_PORT,
        timeout: Optional[float] = None,
        stop: Optional[threading.Event] = None,
    ) -> None:
        self._timeout = timeout
        self._servers: List[ServerInfo] = []
        self._events: Dict[str, BrowserEvent] = {}
        self._changed = threading.Condition()
        self._is_closed = False
        #: The error that ended the list; ``None`` while it has not ended, and after ``close``.
        self.error: Optional[HallooError] = None
        self._discovery = Discovery(discovery_port, local, app, ignore)
        self._waiter = Waiter(stop)
        self._thread = threading.Thread(target=self._run, name="halloo-browser", daemon=True)
        self._thread.start()

    @property
    def servers(self) -> List[ServerInfo]:
        """The servers that are known now, in the order in which they were found."""
        with self._changed:
            return list(self._servers)

    def next_event(self, timeout: Optional[float] = None) -> BrowserEvent:
        """Return the next event. Raises ``TimeoutError`` if there is none within ``timeout`` seconds, and ``Closed`` after the
        end."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._events or self._is_closed, timeout):
                raise TimeoutError(f"no event within {timeout} s")
            if not self._events:
                raise Closed(f"the list of servers has ended: {self.error}" if self.error else "the list of servers is closed")
            return self._events.pop(next(iter(self._events)))

    def __iter__(self) -> Iterator[BrowserEvent]:
        """Yield the events until the end, or until there was none for the timeout of the constructor."""
        while True:
            try:
                yield self.next_event(self._timeout)
            except (Closed, TimeoutError):
                return

    def close(self) -> None:
        """End the list, and wait for the end of the thread. It does nothing the second time."""
        self._waiter.abort()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def __enter__(self) -> "Browser":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self) -> None:
        wait, error = BlockingWait(self._waiter), None
        try:
            while True:
                changes = run_blocking(self._discovery.next_changes(wait, math.inf))
                if changes:
                    self._publish(changes)
        except Aborted:
            pass
        except Exception as failure:  # noqa: BLE001 - the list must not end in silence
            error = HallooError(f"the list of servers failed: {failure!r}; this is a bug")
        finally:
            self._discovery.close()
            with self._changed:
                self.error, self._is_closed = error, True
                self._changed.notify_all()
            self._waiter.close()

    def _publish(self, changes: List[Change]) -> None:
        with self._changed:
            self._servers = self._discovery.servers
            for kind, server in changes:
                earlier = self._events.pop(server.id, None)
                merged = kind if earlier is None else _MERGED.get((earlier.kind, kind), kind)
                if merged is not None:
                    self._events[server.id] = BrowserEvent(merged, server)
            self._changed.notify_all()
