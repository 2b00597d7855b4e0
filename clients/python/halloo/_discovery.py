"""The list of servers on real sockets and a clock, which waits only through ``Wait``."""

import secrets
import time
from typing import Iterable, List, Optional

from ._browser_core import Change, Core
from ._check import Check, failure
from ._datagrams import Address
from ._discovery_sockets import DiscoverySockets
from ._drive import Wait
from ._server_info import ServerInfo


class Discovery:
    """See the module. It is closed after use."""

    def __init__(
        self, port: int, local: bool, app: Optional[str] = None, ignore: Optional[str] = None, at: Iterable[Address] = ()
    ) -> None:
        self._core = Core(secrets.token_hex(8), secrets.token_bytes(16), port, app, ignore)
        for address in at:
            self._core.add_address(address)
        self._sockets = DiscoverySockets(port, local)
        self._checks: List[Check] = []
        self._start = time.monotonic()

    @property
    def servers(self) -> List[ServerInfo]:
        """The servers that are known now, in the order in which they were found."""
        return self._core.servers

    async def next_changes(self, wait: Wait, end: float) -> List[Change]:
        """Send what is due, and wait until something arrives or is due, or until ``end``, in the time of ``time.monotonic``.
        Return what has changed, which may be nothing."""
        self._send_due()
        due = min(self._start + self._core.poll_timeout(), end, *(check.deadline for check in self._checks))
        answering = [check.socket for check in self._checks if check.is_connected]
        connecting = [check.socket for check in self._checks if not check.is_connected]
        await wait.wait(self._sockets.all + answering, connecting, max(due - time.monotonic(), 0.0))
        now = self._now()
        for datagram, sender in self._sockets.receive():
            self._core.handle_datagram(datagram, sender, now)
        self._advance_checks(now)
        self._core.handle_timeout(now)
        return list(iter(self._core.poll_change, None))

    def close(self) -> None:
        """Close the sockets."""
        self._sockets.close()
        for check in self._checks:
            check.close()

    def _now(self) -> float:
        return time.monotonic() - self._start

    def _send_due(self) -> None:
        """Send the probes and start the checks that are due."""
        now = self._now()
        for probe in iter(lambda: self._core.poll_probe(now), None):
            # The networks may have changed since the last probe to all.
            if probe.to is None and self._sockets.refresh():
                self._core.rescan(now)
            self._sockets.send(probe)
        for address in iter(lambda: self._core.poll_check(now), None):
            try:
                self._checks.append(Check(address))
            except OSError as error:
                self._core.handle_check_result(address, failure(error), now)

    def _advance_checks(self, now: float) -> None:
        for check in self._checks[:]:
            result = check.advance()
            if result is not None:
                check.close()
                self._checks.remove(check)
                self._core.handle_check_result(check.address, result, now)
