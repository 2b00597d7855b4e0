"""After which end a client connects again, and when."""

STABLE_AFTER, FIRST_PAUSE, MAX_PAUSE = 10000, 100, 5000


def is_final_code(code):
    """Return whether another connection would be closed in the same way."""
    return code in (1002, 1003, 1007, 1008, 1009, 1010) or code >= 3000


def is_final_status(status):
    """Return whether another handshake would be refused in the same way."""
    return status < 500 and status not in (408, 425, 429)


def is_final(ending, number, known):
    """Return whether the client ends. The words for the ending, and for what is known about the peer, are those of
    vectors/endings.json."""
    if ending == "closed":
        return is_final_code(number) and len(known) > 0
    if ending == "refused":
        is_ours = "given" in known or ("found" in known and number in (401, 403, 404, 426))
        return is_ours and is_final_status(number)
    return ending != "lost" and "given" in known


class Backoff:
    """The pauses between attempts, in milliseconds."""

    def __init__(self):
        self._failures, self._connected = 0, None

    def connected(self, now):
        """Record that a connection is complete."""
        self._connected = now

    def is_stable(self, now):
        """Return whether the connection has lasted long enough."""
        return self._connected is not None and now - self._connected >= STABLE_AFTER

    def failed(self, now, chance):
        """Return the pause before the next attempt. `chance` is evenly drawn from 0 to 1."""
        if self.is_stable(now):
            self._failures = 0
        self._connected = None
        longest = min(FIRST_PAUSE << min(self._failures, 6), MAX_PAUSE)
        self._failures += 1
        return longest * chance
