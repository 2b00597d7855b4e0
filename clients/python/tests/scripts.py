"""The scripts of ``vectors/claims.json`` and ``vectors/expiry.json``: a list of servers on a virtual clock, with a simulated
network."""

import heapq
import json
import random
from functools import partial
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

from halloo._browser_core import CheckResult, Core
from halloo._datagrams import Address, parse_address

NONCE, DISCOVERY_PORT = "b64e21", 8766
# The time to the answer of a server, and how long a client waits for a response by TCP.
LATENCY, CHECK_TIMEOUT = 0.001, 2.0
# Runs differ in their random numbers, and so in the times of their probes. Few are enough where that makes no difference.
RUNS, FEW_RUNS = 40, 5
Case = Dict[str, Any]


class Event(NamedTuple):
    """What the application is told."""

    at: float
    kind: str
    id: str


class Network:
    """One run of a script."""

    def __init__(self, case: Case, seed: int) -> None:
        chance = random.Random(seed).random
        self.core = Core(NONCE, seed.to_bytes(16, "big"), DISCOVERY_PORT, chance=chance)
        self.events: List[Event] = []
        self._now = 0.0
        self._peers: Dict[Address, Case] = {}
        self._due: List[Tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        for step in case["steps"]:
            self._at(step["at_ms"] / 1000, partial(self._play, step))
        self._run_until(case["until_ms"] / 1000)

    def _run_until(self, end: float) -> None:
        while True:
            while self._due and self._due[0][0] <= self._now:
                heapq.heappop(self._due)[2]()
                self._collect()
            self.core.handle_timeout(self._now)
            self._poll()
            next_at = min(self.core.poll_timeout(), self._due[0][0] if self._due else end + 1)
            if next_at > end:
                return
            self._now = max(self._now, next_at)

    def _at(self, time: float, action: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._due, (time, self._count, action))

    def _play(self, step: Case) -> None:
        if "datagram" in step:
            self._receive(step["datagram"].replace("NONCE", NONCE), parse_address(step["from"]))
        elif step["is"] == "nothing":
            self._peers.pop(parse_address(step["address"]), None)
        else:
            self._peers[parse_address(step["address"])] = step

    def _receive(self, datagram: str, sender: Address) -> None:
        self.core.handle_datagram(datagram.encode(), sender, self._now)

    def _poll(self) -> None:
        """Send what the list sends, and collect what it reports."""
        probe = self.core.poll_probe(self._now)
        while probe is not None:
            self._reply(probe.to, probe.nonce)
            probe = self.core.poll_probe(self._now)
        address = self.core.poll_check(self._now)
        while address is not None:
            self._check(address)
            address = self.core.poll_check(self._now)
        self._collect()

    def _reply(self, to: Optional[Address], nonce: str) -> None:
        for (host, _), peer in sorted(self._peers.items()):
            hears = peer.get("broadcast", True) if to is None else to[0] == host
            if peer["is"] == "server" and peer.get("udp", True) and hears:
                reply = json.dumps({**peer["reply"], "nonce": nonce})
                sender = (host, DISCOVERY_PORT)
                self._at(self._now + LATENCY, partial(self._receive, reply, sender))

    def _check(self, address: Address) -> None:
        peer = self._peers.get(address)
        results = {
            "server": lambda: CheckResult("body", json.dumps(peer and peer["reply"]).encode()),
            "other": lambda: CheckResult("unexpected"),
            "refusal": lambda: CheckResult("refused"),
        }
        result = results[peer["is"]]() if peer else CheckResult("no response")
        delay = LATENCY if peer else CHECK_TIMEOUT
        self._at(self._now + delay, lambda: self.core.handle_check_result(address, result, self._now))

    def _collect(self) -> None:
        change = self.core.poll_change()
        while change is not None:
            self.events.append(Event(self._now * 1000, change.kind, change.server.id))
            change = self.core.poll_change()


def play(case: Case) -> Tuple[List[Case], Core]:
    """Return the events of all runs, each with its earliest and latest time, and the core of the last run."""
    depends_on_chance = any(len(set(event["between_ms"])) > 1 for event in case["expect"]["events"])
    runs = [Network(case, seed) for seed in range(RUNS if depends_on_chance else FEW_RUNS)]
    events = []
    for same in zip(*(run.events for run in runs)):
        first = same[0]
        assert all((event.kind, event.id) == (first.kind, first.id) for event in same), "the order depends on chance"
        times = [event.at for event in same]
        events.append({"between_ms": [min(times), max(times)], first.kind: first.id})
    assert len({len(run.events) for run in runs}) == 1, "the number of events depends on chance"
    return events, runs[-1].core


def agrees(event: Case, expected: Case) -> bool:
    """Return whether an event is as expected. The ends of the range depend a little on the random numbers."""
    (first, last), (earliest, latest) = event["between_ms"], expected["between_ms"]
    slack = (latest - earliest) / 4 + 1
    is_same = {**event, "between_ms": None} == {**expected, "between_ms": None}
    return is_same and abs(first - earliest) <= slack and abs(last - latest) <= slack
