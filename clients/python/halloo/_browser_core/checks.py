"""The checks over TCP, a few at a time, shared by the addresses that cause them."""

from enum import Enum
from typing import List, NamedTuple, Optional, Tuple

from .._datagrams import Address
from .source import source_of

# At a time, which bounds the connections that forged beacons can cause.
MAX_CHECKS = 16
# The same for everything that is not proven; the rest is kept for servers that have proven their address.
_MAX_UNPROVEN = 12
# The same for addresses that are claimed by something that is not listed: kept for them while they wait.
_MAX_CLAIMED = 4
# The same for one source.
_MAX_FOR_SOURCE = 3
# Addresses that wait for their check.
_MAX_WAITING = 64


class CheckResult(NamedTuple):
    """The result of requesting ``GET /discovery.json``. ``kind`` is ``body`` for a response with status 200, ``unexpected`` for
    any other: an older server, or another program. Or the connection was ``refused``, or there was ``no response`` in time."""

    kind: str
    body: bytes = b""


class Purpose(Enum):
    """Why an address is checked."""

    PROVEN = "a server that has proven its address may be gone, or its reply was truncated"
    UNPROVEN = "a server that has proven nothing may be gone"
    CLAIMED = "the address was claimed"


class Checks:
    """See the module."""

    def __init__(self) -> None:
        # Claimed addresses whose check has not started.
        self._waiting: List[Address] = []
        self._running: List[Tuple[Address, Purpose]] = []

    def add(self, address: Address) -> None:
        """Add an address that was claimed. The source with the most addresses loses one when there are too many."""
        if address in self._waiting or any(running == address for running, _ in self._running):
            return
        if len(self._waiting) >= _MAX_WAITING:
            sources = [source_of(host) for host, _ in self._waiting]
            # The newest of the source, so that the others keep their turn.
            most, victim = max((sources.count(source), index) for index, source in enumerate(sources))
            if most <= sources.count(source_of(address[0])) + 1:
                return
            del self._waiting[victim]
        self._waiting.append(address)

    def allows(self, address: Address, purpose: Purpose) -> bool:
        """Return whether a check of an address may start."""
        purposes, source = [one for _, one in self._running], source_of(address[0])
        unproven, claimed = purposes.count(Purpose.UNPROVEN), purposes.count(Purpose.CLAIMED)
        if purpose is Purpose.PROVEN:
            is_free = True
        elif purpose is Purpose.CLAIMED:
            is_free = claimed < _MAX_CLAIMED and unproven + claimed < _MAX_UNPROVEN
        else:
            is_free = unproven + (_MAX_CLAIMED if self._waiting else claimed) < _MAX_UNPROVEN
        of_source = sum(source_of(host) == source for (host, _), _ in self._running)
        return is_free and len(purposes) < MAX_CHECKS and of_source < _MAX_FOR_SOURCE

    def start(self, address: Address, purpose: Purpose) -> None:
        """Start a check that is allowed."""
        self._running.append((address, purpose))

    def poll_claimed(self) -> Optional[Address]:
        """Start the check of an address that was claimed, and return it."""
        address = next((one for one in self._waiting if self.allows(one, Purpose.CLAIMED)), None)
        if address is not None:
            self._waiting.remove(address)
            self.start(address, Purpose.CLAIMED)
        return address

    def handle_result(self, address: Address) -> None:
        """Handle the end of a check."""
        ended = next((one for one in self._running if one[0] == address), None)
        if ended is not None:
            self._running.remove(ended)
