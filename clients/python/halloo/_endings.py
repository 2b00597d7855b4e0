"""After which end a client connects again, and when."""

import random
from typing import NamedTuple, Optional

from ._errors import HallooError

FIRST_PAUSE, MAX_PAUSE, STABLE_AFTER = 0.1, 5.0, 10.0


def is_final_code(code: int) -> bool:
    """Return whether another connection would be closed in the same way."""
    return code in (1002, 1003, 1007, 1008, 1009, 1010) or code >= 3000


def is_final_status(status: int) -> bool:
    """Return whether another handshake would be refused in the same way."""
    return status < 500 and status not in (408, 425, 429)


class Certainty(NamedTuple):
    """How certain it is that the peer was the server that is meant."""

    given: bool = False
    found: bool = False
    proven: bool = False
    stable: bool = False
    others: bool = False


class Ending(NamedTuple):
    """How an attempt or a connection ended: ``kind`` is as in vectors/endings.json."""

    kind: str
    number: int = 0

    def is_final(self, known: Certainty) -> bool:
        """Return whether the client ends."""
        is_server = known.given or known.found
        is_last = known.given and not known.others
        if self.kind == "closed":
            return (is_server or known.proven or known.stable) and is_final_code(self.number)
        if self.kind == "refused":
            is_ours = is_server if self.number in (401, 403, 404, 426) else known.given
            return is_ours and is_final_status(self.number)
        if self.kind == "certificate not trusted":
            return is_server
        return is_last and self.kind != "lost"


class Failed(Exception):
    """An attempt to connect failed."""

    def __init__(self, ending: Ending, error: HallooError, named_id: Optional[str] = None) -> None:
        super().__init__(str(error))
        self.ending, self.error, self.named_id = ending, error, named_id


class Backoff:
    """The pauses between attempts. Times are in seconds of any clock."""

    def __init__(self, now: float, max_attempts: Optional[int] = None, max_elapsed: Optional[float] = None) -> None:
        self._failures, self._since = 0, now
        self._connected: Optional[float] = None
        self._max_attempts, self._max_elapsed = max_attempts, max_elapsed

    def handle_connected(self, now: float) -> None:
        """Record that a connection is complete."""
        self._connected = now

    def is_stable(self, now: float) -> bool:
        """Return whether the connection has lasted long enough."""
        return self._connected is not None and now - self._connected >= STABLE_AFTER

    def handle_failure(self, now: float, chance: Optional[float] = None) -> Optional[float]:
        """Return the pause before the next attempt, or ``None`` to give up. ``chance`` is evenly drawn from 0 to 1."""
        if self.is_stable(now):
            self._failures, self._since = 0, now
        self._connected = None
        longest: float = min(FIRST_PAUSE * 2 ** min(self._failures, 16), MAX_PAUSE)
        self._failures += 1
        pause = longest * (random.random() if chance is None else chance)
        if self._max_attempts is not None and self._failures >= self._max_attempts:
            return None
        if self._max_elapsed is not None and now + pause - self._since >= self._max_elapsed:
            return None
        return pause
