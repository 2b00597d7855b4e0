"""The test vectors in ``vectors/``, run by the modules that the package itself uses."""

import json
import re
import unittest
from pathlib import Path

from halloo import _datagrams, _endings, _names, _proof, _search, _target
from halloo._errors import InvalidTarget
from halloo._keepalive import Keepalive
from halloo._link import check_response
from halloo._queue import Queue

VECTORS = Path(__file__).resolve().parents[3] / "vectors"


def address(text):
    host, port = re.fullmatch(r"\[?([^\]]*)\]?:(\d+)", text).groups()
    return host, int(port)


def datagram(case):
    data = case["datagram"].encode() if "datagram" in case else bytes.fromhex(case["datagram_hex"])
    seen = _datagrams.read(data, address(case["from"]), "b64e21")
    if seen is None:
        return None
    server = _search.to_server(seen)
    keys = ("id", "name", "addresses", "sources", "clients", "auth", "tls", "app", "meta")
    return json.loads(json.dumps({key: getattr(server, key) for key in keys}))


def name(case):
    if "servers" in case:
        found = _names.best_matches(case["text"], case["servers"], lambda server: (server["id"], server["name"]))
        return [server["id"] for server in found]
    if "app" in case:
        return {"same_app": _names.is_same_app(case["text"], case["app"])}
    return {"display": _names.clean(case["text"]), "key": _names.key(case["text"])}


def probe(case):
    data = _datagrams.probe(case["nonce"], case.get("ip"))
    return {"bytes": len(data), "datagram": data.decode()}


def probe_times(case):
    runs = []
    for chance in (0.0, 1.0):
        now, run = 0.0, []
        for delay, is_wide in _search.intervals(lambda chance=chance: chance):
            if now * 1000 > case["until_ms"]:
                break
            run.append((now * 1000, is_wide))
            now += delay
        runs.append(run)
    # The random numbers of the vectors do not reach the ends of the range.
    for expected, (earliest, is_wide), (latest, _) in zip(case["expect"], *runs):
        first, last = expected["between_ms"]
        if not (earliest - 1 <= first and last <= latest + 1 and is_wide == expected["all_ports"]):
            return [earliest, latest, is_wide]
    return case["expect"]


def target(case):
    try:
        read = _target.read_target(case["text"])
    except InvalidTarget:
        return {"error": case["expect"].get("error")}
    if read.url is None:
        return {"search": read.name}
    url = _target.in_room(read.url, case["room"]) if "room" in case else read.url
    connect = {
        "tls": url.tls, "host": url.host, "zone": url.zone, "port": url.port, "token": url.token, "shown": url.shown,
        "request": [f"GET {url.resource} HTTP/1.1", f"Host: {url.authority}"],
        "fingerprint": url.fingerprint.hex() if url.fingerprint else None,
    }
    return {"connect": connect, "or_search": read.name} if read.name else {"connect": connect}


def room(case):
    try:
        return {"path": _target.room_path(case["room"])}
    except InvalidTarget:
        return {"error": case["expect"].get("error")}


def exchange(case):
    return _proof.exchange(case["token"], case["id"], case["challenge"], bytes.fromhex(case["nonce_hex"]))


def proof(case):
    made = exchange(case)
    if made is None:
        return None
    return {
        "authorization": made.authorization, "client_proof": made.proof("client"), "server_proof": made.proof("server"),
    }


def response(case):
    """Only what websockets does not check itself: who the server is."""
    head, _, _ = case["response"].partition("\r\n\r\n")
    lines = [line.partition(": ") for line in head.split("\r\n")[1:]]
    expected, kind = case["expect"], case.get("credential")
    if "101" not in head.split("\r\n")[0] or not {"accepted", "wrong_server"} & set(expected):
        return expected
    error, confirmed = check_response(
        lambda wanted: [value for key, _, value in lines if key.lower() == wanted.lower()],
        case.get("expected_id"), case.get("must_confirm", False),
        exchange(case) if kind == "proof" else None, kind == "await challenge",
    )
    if error:
        return expected if "wrong_server" in expected else {"wrong_server": error}
    return expected if expected.get("accepted", {}).get("confirmed") == confirmed else {"accepted": confirmed}


def ending(case):
    certainty = _endings.Certainty(**{word: True for word in case["known"]})
    ending = _endings.Ending(case["ending"], case.get("code", case.get("status", 0)))
    return "end" if ending.is_final(certainty) else "go on"


def pauses(case):
    elapsed = case.get("max_elapsed_ms")
    limits = (case.get("max_attempts"), None if elapsed is None else elapsed / 1000)
    runs = [_endings.Backoff(0.0, *limits) for _ in range(2)]
    results = []
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


def queue(case):
    messages = Queue(case["max_messages"], case["max_bytes"])
    results = ["queued" if messages.push(text) else "full" for text in case["sends"]]
    queued = [text for text, result in zip(case["sends"], results) if result == "queued"]
    return results if [messages.pop() for _ in queued] == queued else "another order"


def liveness(case):
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
        what = step and step["what"]
        if what == "bytes":
            keepalive.handle_bytes(now)
        elif what == "pong":
            keepalive.handle_pong(now)
        elif what == "asleep":
            now = step["until_ms"] / 1000
            keepalive.handle_wait(now, due)
        elif what in ("stops reading", "reads again"):
            keepalive.pause(what == "stops reading", now)


RUNS = {
    "addresses": target,
    "close-codes": lambda case: "end" if _endings.is_final_code(case["code"]) else "pause",
    "datagrams": datagram,
    "endings": ending,
    "liveness": liveness,
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


def add(file, run):
    def test(self):
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
