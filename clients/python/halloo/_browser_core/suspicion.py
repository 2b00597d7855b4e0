"""Whether a server is still there: after a silence, or because a datagram says that it is gone."""

import math
from typing import List, Optional, Sequence, Tuple

from .._datagrams import Address
from .nonces import Nonces

# From becoming suspect to the check over TCP: three more probes.
_CHECK_DELAY = 1.5
# From becoming suspect to being lost if nothing is received at all, which can be the network's fault.
_SUSPECT_TIMEOUT = 5.5
# Between two checks over TCP that fail at once.
_CHECK_INTERVAL = 0.5
# Between two probes to one address.
_PROBE_INTERVAL = 1.0

# After a goodbye: the probes, their interval, which is also the time to the check over TCP, the time to being lost if nothing
# is received at all, and the time that a check is given.
_HASTY_PROBES, _HASTY_INTERVAL, _HASTY_TIMEOUT, _HASTY_CHECK_TIME = 3, 0.025, 0.08, 0.05


class Suspicion:
    """The state of a server that may be gone."""

    def __init__(self, next_check: float, is_hasty: bool, believes_silence: bool, now: float) -> None:
        #: A datagram says that the server is gone, so only a proof shows that it is not.
        self.is_hasty = is_hasty
        self._believes_silence = believes_silence
        self._since = self._next_probe = now
        self._probes = 0
        self._nonce: Optional[str] = None
        self._next_check = next_check
        self._checked: Optional[float] = None
        self._to_check: List[Address] = []
        self._checking: List[Address] = []
        self._all_refused = True

    @classmethod
    def after_silence(cls, has_replied: bool, now: float) -> "Suspicion":
        """A server that never replied was probed all the time, without success."""
        return cls(now + _CHECK_DELAY if has_replied else now, False, False, now)

    @classmethod
    def after_goodbye(cls, believes_silence: bool, now: float) -> "Suspicion":
        """A datagram says that the server is gone."""
        return cls(now + _HASTY_INTERVAL, True, believes_silence, now)

    def without_probes(self) -> "Suspicion":
        """Let the check over TCP alone decide, because the server does not answer probes."""
        self._next_probe = math.inf
        return self

    def poll_probe(self, is_proven: bool, nonces: Nonces, now: float) -> Optional[Tuple[str, int]]:
        """Return the nonce and the number of the probe that is due. A server that has proven nothing is probed once, since the
        address may belong to a third party."""
        if now < self._next_probe:
            return None
        self._probes += 1
        interval = _HASTY_INTERVAL if self.is_hasty and self._probes < _HASTY_PROBES else _PROBE_INTERVAL
        self._next_probe = now + interval if is_proven else math.inf
        if self._nonce is None:
            self._nonce = nonces.next()
        return self._nonce, self._probes

    def is_proof(self, nonce: str) -> bool:
        """Return whether this nonce was sent since the suspicion began."""
        return self._nonce == nonce

    def handle_address_taken(self, address: Address, now: float) -> None:
        """Check all addresses, of which another server may have taken one."""
        self._to_check = [own for own in self._to_check if own != address]
        self._next_check = min(self._next_check, now)

    def handle_timeout(self, addresses: Sequence[Address], now: float) -> bool:
        """Begin to check ``addresses`` when that is due. Return whether the server said goodbye and answers nothing."""
        if now >= self._next_check:
            self._next_check = math.inf
            self._to_check, self._all_refused = list(addresses), True
        return now >= self._silence_ends()

    def _silence_ends(self) -> float:
        # Checks of other servers must not use up the time of this one.
        if not (self.is_hasty and self._believes_silence) or self._checked is None or self._to_check:
            return math.inf
        return max(self._since + _HASTY_TIMEOUT, self._checked + _HASTY_CHECK_TIME)

    def handle_failed_check(self, address: Address, refused: bool, deadline: Optional[float], now: float) -> bool:
        """Handle that a check failed; ``refused`` if the server is certainly not there. Return whether it is lost, which it is
        after ``deadline`` even if nothing was refused."""
        self._checking = [checked for checked in self._checking if checked != address]
        self._all_refused &= refused
        if self._checking or self._to_check:
            return False
        if self._all_refused or now >= (self._since + _SUSPECT_TIMEOUT if deadline is None else deadline):
            return True
        self._next_check = now + _CHECK_INTERVAL
        return False

    def next_to_check(self) -> Optional[Address]:
        """Return the address to check next."""
        return self._to_check[-1] if self._to_check else None

    def handle_check_started(self, now: float) -> None:
        """Handle that the check of ``next_to_check`` starts."""
        self._checking.append(self._to_check.pop())
        self._checked = now

    def is_checking(self, address: Address) -> bool:
        """Return whether the check of an address is in progress."""
        return address in self._checking

    def next_timeout(self) -> float:
        """Return when the next probe, check or decision is due."""
        return min(self._next_probe, self._next_check, self._silence_ends())
