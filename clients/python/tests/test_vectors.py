"""The test vectors in ``vectors/``, run by the modules that the package itself uses."""

import json
import unittest
from functools import partial
from pathlib import Path
from typing import Any, Callable, Dict, List

import frames
import scripts
from halloo import _datagrams, _endings, _names, _proof, _target
from halloo._browser_core import Core
from halloo._browser_core.schedule import Schedule
from halloo._errors import InvalidTarget
from halloo._keepalive import Keepalive
from halloo._link import check_response
from halloo._queue import Queue

Case = Dict[str, Any]
VECTORS = Path(__file__).resolve().parents[3] / "vectors"


SERVER_KEYS = ("id", "name", "addresses", "sources", "clients", "auth", "tls", "app", "meta")


def listed(core: Core) -> Any:
    servers = [{key: getattr(server, key) for key in SERVER_KEYS} for server in core.servers]
    for server, known in zip(servers, core.servers):
        server.update({"cluster": known.cluster} if known.cluster else {})
    return json.loads(json.dumps(servers))


def datagram(case: Case) -> Any:
    data = case["datagram"].encode() if "datagram" in case else bytes.fromhex(case["datagram_hex"])
    core = Core("b64e21", bytes(16), 8766)
    core.handle_datagram(data, _datagrams.parse_address(case["from"]), 0.0)
    return next(iter(listed(core)), None)


def cluster(case: Case) -> Any:
    chosen = _names.least_busy(case["servers"], lambda server: (server["cluster"], server["clients"]))
    return chosen and chosen["id"]


def script(case: Case) -> Any:
    events, core = scripts.play(case)
    expected = case["expect"]["events"]
    agree = len(events) == len(expected) and all(map(scripts.agrees, events, expected))
    return {"events": expected if agree else events, "servers": listed(core)}


def name(case: Case) -> Any:
    if "servers" in case:
        found = _names.best_matches(case["text"], case["servers"], lambda server: (server["id"], server["name"]))
        return [server["id"] for server in found]
    if "app" in case:
        return {"same_app": _names.is_same_app(case["text"], case["app"])}
    return {"display": _names.clean(case["text"]), "key": _names.key(case["text"])}


def probe(case: Case) -> Any:
    data = _datagrams.probe(case["nonce"], case.get("ip"))
    return {"bytes": len(data), "datagram": data.decode()}


def probe_times(case: Case) -> Any:
    runs = []
    for chance in (0.0, 1.0):
        schedule, now, run = Schedule(partial(float, chance)), 0.0, []
        while now * 1000 <= case["until_ms"]:
            run.append((now * 1000, schedule.poll(False, now)))
            now = schedule.next(False)
        runs.append(run)
    # The random numbers of the vectors do not reach the ends of the range.
    for expected, (earliest, is_wide), (latest, _) in zip(case["expect"], *runs):
        first, last = expected["between_ms"]
        if not (earliest - 1 <= first and last <= latest + 1 and is_wide == expected["all_ports"]):
            return [earliest, latest, is_wide]
    return case["expect"]


def target(case: Case) -> Any:
    try:
        read = _target.read_target(case["text"])
    except InvalidTarget:
        return {"error": case["expect"].get("error")}
    if read.url is None:
        return {"search": read.name}
    url = _target.in_room(read.url, case["room"]) if "room" in case else read.url
    connect = {
        "tls": url.tls,
        "host": url.host,
        "zone": url.zone,
        "port": url.port,
        "token": url.token,
        "shown": url.shown,
        "request": [f"GET {url.resource} HTTP/1.1", f"Host: {url.authority}"],
        "fingerprint": url.fingerprint.hex() if url.fingerprint else None,
    }
    return {"connect": connect, "or_search": read.name} if read.name else {"connect": connect}


def room(case: Case) -> Any:
    try:
        return {"path": _target.room_path(case["room"])}
    except InvalidTarget:
        return {"error": case["expect"].get("error")}


def exchange(case: Case) -> Any:
    return _proof.exchange(case["token"], case["id"], case["challenge"], bytes.fromhex(case["nonce_hex"]))


def proof(case: Case) -> Any:
    made = exchange(case)
    if made is None:
        return None
    return {
        "authorization": made.authorization,
        "client_proof": made.proof("client"),
        "server_proof": made.proof("server"),
    }


def response(case: Case) -> Any:
    """Only what websockets does not check itself: who the server is."""
    head, _, _ = case["response"].partition("\r\n\r\n")
    lines = [line.partition(": ") for line in head.split("\r\n")[1:]]
    expected, kind = case["expect"], case.get("credential")
    if "101" not in head.split("\r\n")[0] or not {"accepted", "wrong_server"} & set(expected):
        return expected
    error, confirmed = check_response(
        lambda wanted: [value for key, _, value in lines if key.lower() == wanted.lower()],
        case.get("expected_id"),
        case.get("must_confirm", False),
        exchange(case) if kind == "proof" else None,
        kind == "await challenge",
    )
    if error:
        return expected if "wrong_server" in expected else {"wrong_server": error}
    return expected if expected.get("accepted", {}).get("confirmed") == confirmed else {"accepted": confirmed}


def ending(case: Case) -> Any:
    certainty = _endings.Certainty(**{word: True for word in case["known"]})
    ending = _endings.Ending(case["ending"], case.get("code") or case.get("status") or 0)
    return "end" if ending.is_final(certainty) else "go on"


def pauses(case: Case) -> Any:
    elapsed = case.get("max_elapsed_ms")
    limits = (case.get("max_attempts"), None if elapsed is None else elapsed / 1000)
    runs = [_endings.Backoff(0.0, *limits) for _ in range(2)]
    results: List[Any] = []
    for step in case["steps"]:
        if "connected_ms" in step:
            for run in runs:
                run.handle_connected(step["connected_ms"] / 1000)
            continue
        shortest, longest = (run.handle_failure(step["failed_ms"] / 1000, chance) for chance, run in enumerate(runs))
        if shortest is None:
            results.append("end")
        elif longest is None:
            results.append("pause or end")
        else:
            results.append({"pause_ms": [round(shortest * 1000), round(longest * 1000)]})
    return results


def queue(case: Case) -> Any:
    messages = Queue(case["max_messages"], case["max_bytes"])
    results = ["queued" if messages.push(text) else "full" for text in case["sends"]]
    queued = [text for text, result in zip(case["sends"], results) if result == "queued"]
    return results if [messages.pop() for _ in queued] == queued else "another order"


def liveness(case: Case) -> Any:
    heartbeat, actions, now = case["heartbeat_ms"] / 1000, [], 0.0
    keepalive, steps = Keepalive(0.0, heartbeat), list(case["steps"])
    while True:
        action, due = keepalive.poll(now)
        if action != "wait":
            actions.append({"at_ms": round(now * 1000), "action": action})
            if action == "dead":
                return actions
            continue
        step = steps.pop(0) if steps and steps[0]["at_ms"] / 1000 <= due else None
        now = step["at_ms"] / 1000 if step else due
        if now > case["until_ms"] / 1000:
            return actions
        what = step["what"] if step else None
        if what == "bytes":
            keepalive.handle_bytes(now)
        elif what == "pong":
            keepalive.handle_pong(now)
        elif step and what == "asleep":
            now = step["until_ms"] / 1000
            keepalive.handle_wait(now, due)
        elif what in ("stops reading", "reads again"):
            keepalive.pause(what == "stops reading", now)


# What the library websockets decides in another way.
WEBSOCKETS = {
    "length of 2^63": [{"close_with": 1009}],
    "length not in its shortest form": [{"binary_hex": "00"}],
    # It closes with 1002 when the payload has arrived.
    "ping of 126 bytes": [],
}


def messages(case: Case) -> Any:
    """Its own text of a reason to close is that of the library."""

    def codes(results: List[Any]) -> List[Any]:
        is_own = [isinstance(result, dict) and "close_with" in result for result in results]
        return [{"close_with": result["close_with"]} if own else result for own, result in zip(is_own, results)]

    received = codes(frames.receive(case))
    return case["expect"] if received == WEBSOCKETS.get(case["name"], codes(case["expect"])) else received


RUNS: Dict[str, Callable[[Case], Any]] = {
    "addresses": target,
    "claims": script,
    "close-codes": lambda case: "end" if _endings.is_final_code(case["code"]) else "pause",
    "datagrams": datagram,
    "endings": ending,
    "expiry": script,
    "liveness": liveness,
    "messages": messages,
    "clusters": cluster,
    "names": name,
    "pauses": pauses,
    "probe-times": probe_times,
    "probes": probe,
    "proofs": proof,
    "queue": queue,
    "responses": response,
    "rooms": room,
    "statuses": lambda case: "end" if _endings.is_final_status(case["status"]) else "pause",
}


class VectorsTest(unittest.TestCase):
    maxDiff = None


def add(file: str, run: Callable[[Case], Any]) -> None:
    def test(self: VectorsTest) -> None:
        document = json.loads((VECTORS / f"{file}.json").read_text())
        self.assertEqual(document["version"], 1)
        for case in document["cases"]:
            with self.subTest(case["name"], why=case["why"]):
                self.assertEqual(run(case), case["expect"])

    setattr(VectorsTest, "test_" + file.replace("-", "_"), test)


for file, run in RUNS.items():
    add(file, run)

if __name__ == "__main__":
    unittest.main()
