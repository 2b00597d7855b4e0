"""Addresses that are asked to prove what a datagram claims.

Any device can send a datagram with any source and any content. A reply to a nonce that was sent to one address alone shows what
is at that address.
"""

import math
from dataclasses import dataclass
from typing import Callable, Dict, List, Optional, Tuple

from .._datagrams import Address
from .nonces import Nonces
from .source import source_of

# Addresses that wait for their probe or their reply.
MAX_PENDING = 1024
# The interval of probes while many wait. Half of them go to the address that waits longest, and half to the newest one.
_PROBE_INTERVAL = 0.002
# The time for which probes are sent at once: 32 of them.
_BURST = 32 * _PROBE_INTERVAL
# After a probe, no other is sent to the address for this time.
_RETRY_DELAY = 0.25
# From a probe without a reply to the check over TCP: several servers on one machine share a UDP port, and a probe to its
# address reaches only one of them.
_CHECK_DELAY = 0.1
# In which a reply is accepted.
_REPLY_TIME = 1.0


@dataclass
class _Pending:
    """An address that was claimed."""

    #: Where it receives probes.
    to: Address
    source: bytes
    #: The nonce and the time of its probe.
    nonce: Optional[str] = None
    sent: float = math.inf
    is_checked: bool = False

    def next_timeout(self, next_probe: float) -> float:
        if self.nonce is None:
            return next_probe
        return self.sent + (_REPLY_TIME if self.is_checked else _CHECK_DELAY)


class Proofs:
    """See the module. ``chance`` chooses what is replaced when all places are taken."""

    def __init__(self, chance: Callable[[], float]) -> None:
        self._chance = chance
        # By the address of the server, in the order in which they are probed.
        self._pending: Dict[Address, _Pending] = {}
        # The time of the next probe if the interval were kept without bursts.
        self._next = 0.0
        self._prefers_newest = False

    def request(self, address: Address, to: Address, now: float) -> None:
        """Request a proof from ``address`` by a probe to ``to``. A datagram leads to at most one probe."""
        known = self._pending.get(address)
        if known is not None:
            if now < known.sent + _RETRY_DELAY:
                return
            del self._pending[address]
        source = source_of(address[0])
        if len(self._pending) >= MAX_PENDING:
            victim = list(self._pending)[min(int(self._chance() * MAX_PENDING), MAX_PENDING - 1)]
            sources = [one.source for one in self._pending.values()]
            if sources.count(self._pending[victim].source) <= sources.count(source):
                return
            del self._pending[victim]
        self._pending[address] = _Pending(to, source)

    def poll_probe(self, nonces: Nonces, now: float) -> Optional[Tuple[Address, str]]:
        """Return the next probe that is due: where to, and its nonce."""
        if now < self._next - _BURST:
            return None
        pending = reversed(list(self._pending.values())) if self._prefers_newest else self._pending.values()
        waiting = next((one for one in pending if one.nonce is None), None)
        if waiting is None:
            return None
        self._prefers_newest = not self._prefers_newest
        waiting.nonce, waiting.sent = nonces.next(), now
        self._next = max(self._next, now) + _PROBE_INTERVAL
        return waiting.to, waiting.nonce

    def is_proof(self, nonce: str, host: str) -> bool:
        """Return whether a reply from ``host`` repeats the nonce that was sent there."""
        return any(one.nonce == nonce and one.to[0] == host for one in self._pending.values())

    def handle_proof(self, address: Address) -> None:
        """Handle that ``address`` has proven what it claimed."""
        self._pending.pop(address, None)

    def handle_timeout(self, now: float) -> List[Address]:
        """Forget the addresses that were given enough time. Return those that did not reply, each once."""
        self._pending = {address: one for address, one in self._pending.items() if now < one.sent + _REPLY_TIME}
        unanswered = []
        for address, one in self._pending.items():
            if not one.is_checked and now >= one.sent + _CHECK_DELAY:
                one.is_checked = True
                unanswered.append(address)
        return unanswered

    def next_timeout(self) -> float:
        """Return when the next probe or check is due."""
        next_probe = self._next - _BURST
        return min((one.next_timeout(next_probe) for one in self._pending.values()), default=math.inf)
