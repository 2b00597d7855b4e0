"""One server: what it says about itself, and whether it is still there."""

import math
from dataclasses import dataclass
from enum import Enum
from typing import Dict, Optional, Tuple

from .._datagrams import Address, Announcement, format_address
from .._server_info import ServerInfo
from .addresses import Addresses
from .nonces import Nonces
from .suspicion import Suspicion

# Silence after which a server that replies to probes becomes suspect: one regular probe was left without a reply.
_MAX_SILENCE = 3.5
# The same for a server that only sends beacons, without a ttl, and the bounds of a ttl.
_DEFAULT_TTL, _MIN_TTL, _MAX_TTL = 8.0, 2.0, 60.0
# Between two requests for what a truncated reply leaves out.
_DETAILS_INTERVAL = 10.0
# Between two requests for a proof, which doubles while there is none.
_MIN_PROOF_INTERVAL, _MAX_PROOF_INTERVAL = 0.5, 10.0
# Between two goodbyes that are verified.
_GOODBYE_INTERVAL = 0.5
# After a false goodbye, silence alone does not confirm another one for this time.
_FALSE_GOODBYE_TIME = 60.0
# After a proof, a server needs no other one to keep its id for this time.
_PROOF_TIME = 2.0


class Evidence(Enum):
    """Why a datagram or a response over TCP is believed, or not."""

    BEACON = "a claim"
    REPLY = "a reply to a nonce that everyone can read: a claim"
    PROOF = "a reply to a nonce that only this address received"
    RESPONSE = "a response over TCP"

    @property
    def is_proof(self) -> bool:
        """Whether only a server at this address can have sent it."""
        return self in (Evidence.PROOF, Evidence.RESPONSE)


@dataclass
class _Details:
    """Requests for what truncated replies leave out."""

    #: Where to request them, if they are due.
    due: Optional[Address] = None
    #: When to request them again at the earliest.
    next: float = -math.inf
    #: Whether a complete reply was received, which truncated ones do not replace.
    is_known: bool = False


class Entry:
    """See the module."""

    def __init__(self, id: str, sent_id: Optional[str], now: float) -> None:
        #: That of the server; its address if it sends none, or if another server has the same.
        self.id = id
        #: The id that the server sends.
        self.sent_id = sent_id
        #: Whether the application knows of the server, because it passes the filter.
        self.is_reported = False
        self.addresses = Addresses()
        #: Whether the server has ever replied.
        self.has_replied = False
        #: When the last datagram or response was received.
        self.last_received = now
        self.app: Optional[str] = None
        self._cluster: Optional[str] = None
        self._name = ""
        self._clients: Optional[int] = None
        self._auth, self._tls = False, False
        self._challenge: Optional[str] = None
        self._meta: Dict[str, str] = {}
        self._ttl = _DEFAULT_TTL
        self._details = _Details()
        self._suspicion: Optional[Suspicion] = None
        # When it last proved that it is at an address.
        self._proven: Optional[float] = None
        # A datagram differs from what was proven.
        self._is_contradicted = False
        self._next_request, self._request_interval = now, _MIN_PROOF_INTERVAL
        # When a goodbye can be verified next, and whether one waits for it.
        self._next_goodbye, self._has_goodbye = now, False
        self._last_false_goodbye = -math.inf
        # Where another server proved to have this id, and where that receives probes.
        self._rival: Optional[Tuple[Address, Address]] = None

    @property
    def server(self) -> ServerInfo:
        """What is known about the server now."""
        addresses = tuple(format_address(address) for address in self.addresses.best_first())
        sources = tuple(format_address(address) for address in self.addresses.seen)
        url = f"{'wss' if self._tls else 'ws'}://{addresses[0]}" if addresses else ""
        return ServerInfo(
            self.id,
            self._name,
            url,
            addresses,
            self._clients,
            self._auth,
            self._tls,
            self.app,
            self._meta,
            sources,
            self._cluster,
            self._challenge,
        )

    @property
    def is_suspect(self) -> bool:
        """Whether the server has been silent for too long."""
        return self._suspicion is not None and not self._suspicion.is_hasty

    @property
    def is_hasty(self) -> bool:
        """Whether a datagram says that the server is gone."""
        return self._suspicion is not None and self._suspicion.is_hasty

    @property
    def is_proven(self) -> bool:
        """Whether it has proven that it is at its address."""
        return self._proven is not None

    def is_surely_there(self, now: float) -> bool:
        """Return whether it has just proven that it is at its address, so that it has a better right to its id than another
        server."""
        return self._suspicion is None and self._proven is not None and now <= self._proven + _PROOF_TIME

    @property
    def has_borrowed_id(self) -> bool:
        """Whether the id that it sends is that of another server, which was there first."""
        return self.sent_id is not None and self.sent_id != self.id

    def is_heard_at(self, address: Address) -> bool:
        """Return whether one of its datagrams came from this address."""
        return address in self.addresses.seen

    def observe(self, seen: Announcement, address: Address, sender: Address, evidence: Evidence, now: float) -> bool:
        """Handle a datagram from ``sender`` about ``address``. Return whether the server changed."""
        before = self.server
        if evidence.is_proof:
            self.handle_proof(now)
            self.addresses.add_proven(seen, address, sender)
        else:
            self._handle_claim(now)
        self.addresses.add_claimed(address)
        # A truncated reply may list less than is known.
        listed = None if seen.truncated and self._details.is_known else seen.usable_addresses()
        if self.is_proven and not evidence.is_proof:
            # A changed number of clients does no harm; anything else has to be proven.
            if self._contradicts(seen, listed, evidence):
                self._is_contradicted = True
                return False
            self._clients = self._clients if seen.clients is None else seen.clients
            if evidence is Evidence.REPLY:
                self._handle_properties(seen, address, now)
            return self.server != before
        self._is_contradicted = False
        self.app = seen.app or self.app
        if evidence is not Evidence.BEACON:
            self.has_replied = True
            self._handle_properties(seen, address, now)
            self.addresses.set_listed(listed, seen.advertised)
            self._auth = self._auth if seen.auth is None else seen.auth
            self._tls = self._tls if seen.tls is None else seen.tls
            self._cluster = seen.cluster
        if seen.ttl is not None:
            self._ttl = min(max(seen.ttl, _MIN_TTL), _MAX_TTL)
        self._name = self._name if seen.name is None else seen.name
        self._clients = self._clients if seen.clients is None else seen.clients
        # A reply has a new one each time, which is no change.
        self._challenge = seen.challenge or self._challenge
        return self.server != before

    def _contradicts(self, seen: Announcement, listed: Optional[Tuple[Address, ...]], evidence: Evidence) -> bool:
        """Return whether a datagram differs from what was proven, in what matters."""
        is_reply = evidence is Evidence.REPLY
        is_complete = is_reply and not seen.truncated
        if seen.name not in (None, self._name) or (seen.app != self.app and (seen.app is not None or is_complete)):
            return True
        is_other = seen.tls not in (None, self._tls) or seen.auth not in (None, self._auth)
        is_other |= seen.cluster != self._cluster
        return is_reply and (is_other or not self.addresses.are_listed(listed, seen.advertised))

    def _handle_properties(self, seen: Announcement, address: Address, now: float) -> None:
        """Handle the application id and the properties in a reply."""
        details = self._details
        if not seen.truncated:
            self.app = seen.app
        elif now >= details.next:
            details.due, details.next = address, now + _DETAILS_INTERVAL
        if not (seen.truncated and details.is_known):
            self._meta = seen.meta
        details.is_known |= not seen.truncated

    def _handle_claim(self, now: float) -> None:
        """Handle a datagram that may come from the server. It does not show that a goodbye is false."""
        self.last_received = now
        if self.is_suspect:
            self._suspicion = None

    def handle_proof(self, now: float) -> None:
        """Handle a proof that the server is there."""
        self.last_received = self._proven = self._next_request = now
        self._request_interval = _MIN_PROOF_INTERVAL
        if self.is_hasty:
            self._last_false_goodbye = now
        self._suspicion = None

    def request_id(self) -> None:
        """Request a proof with the next datagram, because the server that had the id before is gone."""
        self._is_contradicted = True

    def poll_request(self, now: float) -> bool:
        """Return whether to request a proof of what was claimed. An older server, without an id, cannot give one."""
        if (self.is_proven and not self._is_contradicted) or now < self._next_request or self.sent_id is None:
            return False
        self._next_request = now + self._request_interval
        self._request_interval = min(self._request_interval * 2, _MAX_PROOF_INTERVAL)
        return True

    def handle_goodbye(self, now: float) -> None:
        """Handle a goodbye, or the proof that another server has the id. Only a flood of goodbyes is not verified at once."""
        if self.is_hasty:
            return
        self._has_goodbye = now < self._next_goodbye
        if not self._has_goodbye:
            self._next_goodbye = now + _GOODBYE_INTERVAL
            # On a network that loses many datagrams, silence would make forged goodbyes credible.
            believes_silence = now > self._last_false_goodbye + _FALSE_GOODBYE_TIME
            self._suspicion = self._begin(Suspicion.after_goodbye(believes_silence, now))

    def handle_rival(self, address: Address, to: Address, now: float) -> None:
        """Handle that another server at ``address``, which receives probes at ``to``, has proven to have the id."""
        self._rival = (address, to)
        self.handle_goodbye(now)

    def poll_rival(self) -> Optional[Tuple[Address, Address]]:
        """Return the other server with the same id if this one has proven that it is still there."""
        if self._suspicion is not None or self._has_goodbye:
            return None
        rival, self._rival = self._rival, None
        return rival

    def take_over(self, now: float) -> Optional[Tuple[Address, Address]]:
        """Move the server to the other one with the same id, because it is no longer at its own address. Return where that is
        and receives probes, or ``None`` if there is no other one."""
        rival, self._rival = self._rival, None
        if rival is not None:
            self.addresses = Addresses([rival[0]], [rival[1]])
            self._suspicion, self._last_false_goodbye, self._has_goodbye = None, -math.inf, False
            self.last_received = self._proven = now
            self._is_contradicted = True
        return rival

    def clear_addresses(self) -> None:
        """Handle that another device has a better right to the id."""
        self.addresses = Addresses()

    def handle_address_taken(self, address: Address, now: float) -> bool:
        """Handle that another server is at ``address`` now. Return whether no address of this one is left."""
        if self.addresses.remove(address):
            return True
        self._suspect(now).handle_address_taken(address, now)
        return False

    def handle_timeout(self, now: float) -> bool:
        """Handle the passing of time. Return whether the server is lost."""
        if self._has_goodbye and now >= self._next_goodbye:
            self.handle_goodbye(now)
        if now >= self.last_received + self._max_silence():
            self._suspect(now)
        return self._suspicion is not None and self._suspicion.handle_timeout(self.addresses.seen, now)

    def handle_failed_check(self, address: Address, refused: bool, now: float) -> bool:
        """Handle a failed check of ``address``; ``refused`` if this server is certainly not there. Return whether it is
        lost."""
        # A server that never replied has used up its ttl already, unless another server took one of its addresses.
        deadline = None if self.has_replied else self.last_received + self._ttl
        suspicion = self._suspicion
        return suspicion is not None and suspicion.handle_failed_check(address, refused, deadline, now)

    def poll_probe(self, discovery_port: int, nonces: Nonces, now: float) -> Optional[Tuple[Address, str]]:
        """Return where to send a probe, and its nonce, if one is due: a broadcast does not reach every network."""
        due = self._suspicion.poll_probe(self.is_proven, nonces, now) if self._suspicion is not None else None
        if due is None or not self.addresses.seen:
            return None
        nonce, number = due
        # Each of its addresses in turn.
        address = self.addresses.seen[(number - 1) % len(self.addresses.seen)]
        return self.addresses.receives_at(address, discovery_port), nonce

    def is_proof(self, nonce: str, host: str) -> bool:
        """Return whether a reply from ``host`` proves that the server is there."""
        is_own = any(own == host for own, _ in self.addresses.seen)
        return is_own and self._suspicion is not None and self._suspicion.is_proof(nonce)

    def next_to_check(self) -> Optional[Address]:
        """Return an address to check over TCP."""
        return self._suspicion.next_to_check() if self._suspicion is not None else None

    def handle_check_started(self, now: float) -> None:
        """Handle that the check of ``next_to_check`` starts."""
        if self._suspicion is not None:
            self._suspicion.handle_check_started(now)

    def is_checking(self, address: Address) -> bool:
        """Return whether the check of an address is in progress."""
        return self._suspicion is not None and self._suspicion.is_checking(address)

    def details_due(self) -> Optional[Address]:
        """Return where to request what truncated replies leave out."""
        return self._details.due

    def handle_details_requested(self) -> None:
        """Handle that the request of ``details_due`` starts."""
        self._details.due = None

    def next_timeout(self) -> float:
        """Return when ``handle_timeout`` or a poll is due."""
        goodbye = self._next_goodbye if self._has_goodbye else math.inf
        silence = self.last_received + self._max_silence()
        return min(goodbye, silence if self._suspicion is None else self._suspicion.next_timeout())

    def _max_silence(self) -> float:
        return _MAX_SILENCE if self.has_replied else self._ttl

    def _suspect(self, now: float) -> Suspicion:
        if self._suspicion is None:
            self._suspicion = self._begin(Suspicion.after_silence(self.has_replied, now))
        return self._suspicion

    def _begin(self, suspicion: Suspicion) -> Suspicion:
        # A server without an id is older than probes. Its address may be any machine's that accepts connections.
        return suspicion if self.sent_id is not None else suspicion.without_probes()
