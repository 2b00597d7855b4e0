"""The list of servers on the network: from datagrams and results of checks, it decides which servers are found, updated and
lost, and where to send the next probes and checks. It has no clock, socket or thread: times, in seconds from 0, and bytes are
passed in.

A server sends no beacons while it has clients, so silence alone does not remove a server. When nothing was received from it for
a while, it is suspect: it is probed more often, then checked over TCP, and lost only if both fail.

Any device can send any datagram from any address, and read what is broadcast. What a datagram says is therefore a claim. It
lists a server that is not known, and has no effect on one that has proven its address: there it only causes a probe with a
nonce of its own to that address, or a check over TCP.
"""

import random
from collections import Counter, deque
from enum import Enum
from typing import Callable, Deque, List, NamedTuple, Optional, Tuple

from .._datagrams import MAX_DATAGRAM_SIZE, Address, Announcement, format_address, parse_announcement, to_ip
from .._errors import InvalidTarget
from .._names import is_same_app, key
from .._server_info import ServerInfo
from .checks import CheckResult, Checks, Purpose
from .entry import Entry, Evidence
from .nonces import Nonces
from .proofs import Proofs
from .schedule import Schedule
from .source import source_of

# More than a local network has, fewer than a flood of forged beacons.
MAX_SERVERS = 256
# The part of the free places that the servers of one source can take with claims alone.
_SHARE = 4
# For this time, a server that said goodbye or was replaced is listed only with a proof: its last reply may still arrive.
_DEPARTED_TIME = 1.0
_MAX_DEPARTED = 64


class Probe(NamedTuple):
    """A probe to send: ``to`` one address, or to all if that is ``None``; then ``is_wide`` if also to the ports that a server
    falls back to."""

    to: Optional[Address]
    nonce: str
    is_wide: bool = False


class Change(NamedTuple):
    """A change of the list; ``kind`` is ``found``, ``updated`` or ``lost``."""

    kind: str
    server: ServerInfo


class _Place(Enum):
    """Whether a datagram from another address is from a known server."""

    SAME = "the same"
    ANOTHER = "another one that has the same id"
    UNDECIDED = "another one, if the known one is still there"
    IGNORED = "an address of the known one that it does not list, which adds nothing"


class Core:
    """See the module. Only servers with the application id ``app`` are reported, and never the one with the id ``ignore``.
    ``nonce`` is that of the probes to all, from which ``secret`` must not follow; ``chance`` returns a random number from 0 to
    1."""

    def __init__(
        self,
        nonce: str,
        secret: bytes,
        discovery_port: int,
        app: Optional[str] = None,
        ignore: Optional[str] = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        if app is not None and not key(app):
            raise InvalidTarget("the application id is blank; choose one with a visible character, or none")
        self._nonce, self._discovery_port, self._app, self._ignore = nonce, discovery_port, app, ignore
        self._nonces = Nonces(secret)
        self._schedule, self._proofs, self._checks = Schedule(chance), Proofs(chance), Checks()
        self._entries: List[Entry] = []
        self._departed: Deque[Tuple[str, float]] = deque(maxlen=_MAX_DEPARTED)
        self._changes: Deque[Change] = deque()

    @property
    def servers(self) -> List[ServerInfo]:
        """The servers that are known now, in the order in which they were found."""
        return [entry.server for entry in self._entries if entry.is_reported]

    def handle_datagram(self, datagram: bytes, sender: Address, now: float) -> None:
        """Handle a datagram. Only the address that it came from is used: the one inside can be wrong or forged."""
        seen = parse_announcement(datagram) if len(datagram) <= MAX_DATAGRAM_SIZE else None
        if seen is None:
            return
        if seen.service == "websocket_server":
            self._observe(seen, sender, Evidence.BEACON, now)
        elif seen.service == "websocket_server_reply":
            evidence = self._evidence(seen.nonce, sender[0])
            if evidence is not None:
                self._observe(seen, sender, evidence, now)
        elif seen.service == "websocket_server_bye":
            self._handle_goodbye(seen, sender[0], now)

    def add_address(self, address: Address) -> None:
        """Ask for a server at ``address``, such as the last one of a server that is searched for, unless one was heard from
        there before."""
        if not any(entry.is_heard_at(address) for entry in self._entries):
            self._checks.add(address)

    def handle_check_result(self, address: Address, result: CheckResult, now: float) -> None:
        """Handle the result of a check that ``poll_check`` returned. Every check needs a result."""
        self._checks.handle_result(address)
        reply = parse_announcement(result.body) if result.kind == "body" else None
        if reply is not None and reply.service != "websocket_server_reply":
            reply = None
        entry = next((entry for entry in self._entries if entry.is_checking(address)), None)
        if entry is not None:
            is_same = reply is not None and reply.id is not None and reply.id == entry.sent_id
            # An older server has no /discovery.json.
            is_older = reply is None and entry.sent_id is None and result.kind in ("body", "unexpected")
            if is_same or is_older:
                entry.handle_proof(now)
            elif entry.handle_failed_check(address, result.kind == "refused" or reply is not None, now):
                self._lose(entry, now)
        if reply is not None:
            self._observe(reply, (address[0], 0), Evidence.RESPONSE, now)

    def handle_timeout(self, now: float) -> None:
        """Handle the passing of time."""
        for entry in reversed(self._entries[:]):
            if entry.handle_timeout(now):
                self._lose(entry, now)
        for address in self._proofs.handle_timeout(now):
            self._checks.add(address)
        while self._departed and self._departed[0][1] <= now:
            self._departed.popleft()

    def rescan(self, now: float) -> None:
        """Probe as often as at the start again, because the network has changed."""
        self._schedule.restart(now)

    def poll_probe(self, now: float) -> Optional[Probe]:
        """Return a probe to send now; ``None`` when there are no more."""
        is_wide = self._schedule.poll(self._has_suspect(), now)
        if is_wide is not None:
            return Probe(None, self._nonce, is_wide)
        due = (entry.poll_probe(self._discovery_port, self._nonces, now) for entry in self._entries)
        one = next((one for one in due if one is not None), None) or self._proofs.poll_probe(self._nonces, now)
        return None if one is None else Probe(*one)

    def poll_check(self, now: float) -> Optional[Address]:
        """Return an address from which to request ``GET /discovery.json``; ``None`` when there are no more, or when too
        many are in progress."""
        for purpose in (Purpose.PROVEN, Purpose.UNPROVEN):
            for entry in self._entries:
                if entry.is_proven != (purpose is Purpose.PROVEN):
                    continue
                suspect, details = entry.next_to_check(), entry.details_due()
                if suspect is not None and self._checks.allows(suspect, purpose):
                    entry.handle_check_started(now)
                    self._checks.start(suspect, purpose)
                    return suspect
                if details is not None and self._checks.allows(details, purpose):
                    entry.handle_details_requested()
                    self._checks.start(details, purpose)
                    return details
        return self._checks.poll_claimed()

    def poll_change(self) -> Optional[Change]:
        """Return the next change; ``None`` when there are no more."""
        return self._changes.popleft() if self._changes else None

    def poll_timeout(self) -> float:
        """Return when to call ``handle_timeout`` and the other polls again."""
        times = (entry.next_timeout() for entry in self._entries)
        return min(self._schedule.next(self._has_suspect()), self._proofs.next_timeout(), *times)

    def _has_suspect(self) -> bool:
        return any(entry.has_replied and entry.is_suspect for entry in self._entries)

    def _evidence(self, nonce: Optional[str], host: str) -> Optional[Evidence]:
        """Return what a reply is worth; ``None`` if it is to no probe of this list."""
        if nonce is None:
            return None
        if self._proofs.is_proof(nonce, host) or any(entry.is_proof(nonce, host) for entry in self._entries):
            return Evidence.PROOF
        return Evidence.REPLY if nonce == self._nonce else None

    def _observe(self, seen: Announcement, sender: Address, evidence: Evidence, now: float) -> None:
        """Handle a beacon, a reply, or a response over TCP."""
        port, host = seen.port_at(sender[0]), sender[0]
        if seen.port is None or port is None or (seen.id is not None and seen.id == self._ignore):
            return
        address = (host, port)
        to = sender if evidence is Evidence.REPLY else (host, self._discovery_port)
        if evidence.is_proof:
            self._proofs.handle_proof(address)
            still_gone = [gone for gone in self._departed if gone[0] != seen.id]
            self._departed = deque(still_gone, _MAX_DEPARTED)
        known = self._find(seen.id, address)
        if known is not None and known.has_borrowed_id and not any(entry.id == seen.id for entry in self._entries):
            # The server that had this id before is gone.
            if evidence.is_proof:
                self._remove(known)
                known = None
            else:
                known.request_id()
        is_elsewhere = known is not None and not known.is_heard_at(address)
        if not evidence.is_proof and (is_elsewhere or self._needs_proof(seen.id, address, known)):
            self._proofs.request(address, to, now)
            return
        shown_id = seen.id
        if known is not None and is_elsewhere:
            place = self._place(known, seen, address, now)
            if place is _Place.ANOTHER:
                known, shown_id = None, format_address(address)
            elif place is _Place.UNDECIDED:
                known.handle_rival(address, (host, to[1]), now)
                self._forget_proofs(known)
                return
            elif place is _Place.IGNORED:
                return
        is_new = known is None
        if known is None:
            if not self._make_room(address, evidence.is_proof):
                if not evidence.is_proof:
                    self._proofs.request(address, to, now)
                    # The more often a server replies, the sooner it is asked for its proof.
                    self._schedule.hasten(now)
                return
            known = Entry(shown_id or format_address(address), seen.id, now)
        self._release_address(address, known.id, now)
        if is_new:
            self._entries.append(known)
        changed = known.observe(seen, address, sender, evidence, now)
        must_prove = known.poll_request(now)
        if must_prove and (evidence is not Evidence.REPLY or known.is_proven):
            to = known.addresses.receives_at(address, self._discovery_port)
        self._report(known, changed)
        rival = known.poll_rival()
        if must_prove:
            self._proofs.request(address, to, now)
        if rival is not None:
            self._proofs.request(*rival, now)
        if is_new and evidence is Evidence.BEACON:
            # A reply contains more than a beacon.
            self._schedule.hasten(now)

    def _needs_proof(self, id: Optional[str], address: Address, known: Optional[Entry]) -> bool:
        """Return whether the server with this id has just gone, or another one has proven to be at this address."""
        has_departed = any(gone == id for gone, _ in self._departed)
        others = (entry for entry in self._entries if entry is not known)
        return has_departed or any(entry.is_proven and entry.is_heard_at(address) for entry in others)

    def _report(self, entry: Entry, changed: bool) -> None:
        # Without a filter, every server passes.
        passes = self._app is None or (entry.app is not None and is_same_app(entry.app, self._app))
        if passes and not entry.is_reported:
            self._changes.append(Change("found", entry.server))
        elif passes and changed:
            self._changes.append(Change("updated", entry.server))
        elif entry.is_reported and not passes:
            self._changes.append(Change("lost", entry.server))
        entry.is_reported = passes

    def _find(self, id: Optional[str], address: Address) -> Optional[Entry]:
        """Return the server that a datagram about ``address`` with this id is from."""
        # A server can be configured to send beacons without an id.
        there = (entry for entry in self._entries if entry.is_heard_at(address) and id in (None, entry.sent_id))
        elsewhere = (entry for entry in self._entries if id is not None and entry.sent_id == id and not entry.has_borrowed_id)
        return next(there, None) or next(elsewhere, None)

    def _place(self, entry: Entry, seen: Announcement, address: Address, now: float) -> _Place:
        """Decide what it means that ``address``, at which the server was not seen, has proven to have its id."""
        if not entry.is_proven:
            # Until now, the id was only claimed.
            entry.clear_addresses()
            return _Place.SAME
        if entry.addresses.can_include(address):
            return _Place.SAME
        # Each server knows its own addresses, but a reply does not always list all of them.
        ip = to_ip(address[0])
        if ip.is_loopback or any(seen.lists(host) for host, _ in entry.addresses.seen):
            return _Place.IGNORED
        if not entry.is_surely_there(now):
            return _Place.UNDECIDED
        # An interface may have several link-local addresses, which no reply lists.
        return _Place.IGNORED if ip.version == 6 and ip.is_link_local else _Place.ANOTHER

    def _release_address(self, address: Address, id: str, now: float) -> None:
        """Remove ``address`` from all servers other than ``id``: two servers cannot share an address and port."""
        for entry in self._entries[:]:
            if entry.id == id or not entry.is_heard_at(address):
                continue
            if entry.handle_address_taken(address, now):
                self._remove_departed(entry, now)
            elif entry.is_reported:
                self._changes.append(Change("updated", entry.server))

    def _make_room(self, address: Address, is_proven: bool) -> bool:
        """Return whether there is room for a server at ``address``. One that has proven its address takes the place of one that
        has not; otherwise the source with the most servers loses one."""
        counts = Counter(entry.addresses.source() for entry in self._entries)
        own, free = counts[source_of(address[0])], MAX_SERVERS - len(self._entries)
        if not is_proven and own >= max(free // _SHARE, 1):
            return False
        if free > 0:
            return True
        candidates = (entry for entry in self._entries if is_proven or not entry.is_proven)

        def rank(entry: Entry) -> Tuple[bool, int, float]:
            return entry.is_proven, -counts[entry.addresses.source()], entry.last_received

        victim = min(candidates, key=rank, default=None)
        if victim is None or (victim.is_proven == is_proven and counts[victim.addresses.source()] <= own + 1):
            return False
        self._remove(victim)
        return True

    def _handle_goodbye(self, seen: Announcement, host: str, now: float) -> None:
        # From any other address it is forged, and even from this one it can be.
        for entry in self._entries:
            if seen.id is not None and entry.sent_id == seen.id and entry.addresses.contain_ip(host):
                entry.handle_goodbye(now)
                self._forget_proofs(entry)
                return

    def _forget_proofs(self, entry: Entry) -> None:
        """Forget the probes that were sent to a server before it may have gone."""
        for address in entry.addresses.seen:
            self._proofs.handle_proof(address)

    def _lose(self, entry: Entry, now: float) -> None:
        """Handle that a server is not at its address. If another one has its id, it has moved there."""
        is_hasty, rival = entry.is_hasty, entry.take_over(now)
        if rival is not None:
            if entry.is_reported:
                self._changes.append(Change("updated", entry.server))
            self._release_address(rival[0], entry.id, now)
            self._proofs.request(*rival, now)
        elif is_hasty:
            self._remove_departed(entry, now)
        else:
            self._remove(entry)

    def _remove_departed(self, entry: Entry, now: float) -> None:
        """Remove a server, and list it again only with a proof for a while."""
        self._departed.append((entry.id, now + _DEPARTED_TIME))
        self._remove(entry)

    def _remove(self, entry: Entry) -> None:
        self._entries.remove(entry)
        if entry.is_reported:
            self._changes.append(Change("lost", entry.server))
