"""The test vectors in `vectors/`, run under MicroPython: `micropython vectors.py DIRECTORY`. `halloo` is in MICROPYPATH."""

import binascii
import json
import re
import sys

from halloo import _endings, _frames, _handshake, _proof, _queue, _search, _target, _text
from halloo._errors import HallooError
from halloo._keepalive import Keepalive

TLS, IPV6, UNICODE = "no TLS", "no IPv6", "no table of Unicode"
CLAIMS, META = "addresses that a server only claims are not tried", "properties are not read"
LEFT_OUT = {
    "addresses": {
        "address of a secure page": TLS, "invitation with a fingerprint": TLS, "fingerprint in hexadecimal digits": TLS,
        "default port of wss": TLS, "IPv6 address": IPV6, "IPv6 address alone": IPV6, "zone": IPV6, "encoded zone": IPV6,
    },
    "datagrams": {
        "decomposed name": UNICODE, "source with a zone": IPV6, "IPv6 source": IPV6,
        "escaped text": "the json module does not join surrogate pairs",
    },
    "endings": {
        "certificate not trusted after a search": TLS,
        "refused at a given address that has others": CLAIMS, "wrong server, with other addresses": CLAIMS,
        "certificate not trusted at a given address": TLS, "another certificate than the pinned one, with other addresses": TLS,
    },
    "liveness": {"no heartbeat": "it is always on"},
    "names": {
        "composed and decomposed": UNICODE, "both kinds of sigma": UNICODE, "sharp s": UNICODE,
        "display: composed": UNICODE, "display: emoji": UNICODE,
    },
    "pauses": {
        "limit of attempts": "no limit", "single attempt": "no limit", "limit of time": "no limit",
        "limit of time after a stable connection": "no limit",
    },
    "probes": {"probe over IPv6 beside IPv4": IPV6},
    "responses": {"accepted with a subprotocol": "none is offered", "token sent by TLS": TLS},
}


def address(case):
    try:
        url, name = _target.read_target(case["text"])
        path = url and (_target.in_room(url.path, case["room"]) if "room" in case else url.path)
    except HallooError:
        return {"error": case["expect"].get("error")}
    found = {}
    if url:
        host = url.host if url.port == 80 else f"{url.host}:{url.port}"
        request = _handshake.Handshake(key=b"x").request(path, host).decode().split("\r\n")[:2]
        shown = re.sub("token=[^&]*", "token=\u2026", f"ws://{url.host}:{url.port}" + (path if path != "/" else ""))
        found["connect"] = {
            "tls": False, "host": url.host, "zone": None, "port": url.port, "token": url.token, "shown": shown,
            "request": request, "fingerprint": None,
        }
    if name:
        found["or_search" if url else "search"] = name
    return found


def room(case):
    try:
        return {"path": _target.room_path(case["room"])}
    except HallooError:
        return {"error": case["expect"].get("error")}


def datagram(case):
    """Only the source counts as an address, and there are no properties."""
    data = case["datagram"].encode() if "datagram" in case else binascii.unhexlify(case["datagram_hex"].replace(" ", ""))
    seen, expected = _search.read(data, case["from"].rsplit(":", 1)[0], "b64e21"), case["expect"]
    if seen is None:
        return None
    at = "%s:%d" % seen.address
    found = {name: getattr(seen, name) for name in ("id", "name", "clients", "auth", "tls", "app")}
    if seen.cluster:
        found["cluster"] = seen.cluster
    found.update({"addresses": expected and expected["addresses"], "meta": expected and expected["meta"], "sources": [at]})
    return found


class Named:
    def __init__(self, server):
        self.id, self.name = server["id"], server.get("name")
        self.cluster, self.clients = server.get("cluster"), server.get("clients")


def name(case):
    if "servers" in case:
        return [one.id for one in _text.best_matches(case["text"], [Named(one) for one in case["servers"]])[0]]
    if "app" in case:
        return {"same_app": _text.is_same_app(case["text"], case["app"])}
    return {"display": _text.clean(case["text"]), "key": _text.key(case["text"])}


def cluster(case):
    chosen = _text.least_busy([Named(one) for one in case["servers"]])
    return chosen and chosen.id


def probe(case):
    data = _search.probe(case["nonce"])
    return {"bytes": len(data), "datagram": data.decode()}


def probe_times(case):
    runs = []
    for chance in (0, 1):
        at, run = 0, []
        while at <= case["until_ms"]:
            delay, is_wide = _search.next_probe(len(run), chance)
            run.append((at, is_wide))
            at += delay
        runs.append(run)
    # The random numbers of the vectors do not reach the ends of the range.
    for expected, (earliest, is_wide), (latest, _) in zip(case["expect"], *runs):
        first, last = expected["between_ms"]
        if not (earliest - 1 <= first and last <= latest + 1 and is_wide == expected["all_ports"]):
            return [earliest, latest, is_wide]
    return case["expect"]


def proof(case):
    made = _proof.prove(case["token"], case["id"], case["challenge"], binascii.unhexlify(case["nonce_hex"]))
    if made is None:
        return None
    return {"authorization": made[0], "client_proof": made[0][-44:-1], "server_proof": made[1]}


def response(case):
    kind, expected = case.get("credential"), case["expect"]
    challenge = (case["id"], case["challenge"]) if kind == "proof" else None
    nonce = binascii.unhexlify(case["nonce_hex"]) if kind == "proof" else None
    shake = _handshake.Handshake(
        case.get("token"), challenge, case.get("expected_id"), case.get("must_confirm", False), b"dGhlIHNhbXBsZSBub25jZQ==", nonce
    )
    ending, text, status, given = shake.read(case["response"].encode(), True)
    if ending == "open":
        return {"accepted": {"confirmed": shake.is_confirmed, "head_bytes": expected["accepted"]["head_bytes"], "subprotocol": None}}
    if ending == "refused":
        # A challenge that is not valid is none.
        is_valid = given and _proof.prove("x", given[0], given[1], b"")
        challenge = {"id": given[0], "challenge": given[1], "stale": given[2]} if is_valid else None
        said = expected["refused"]["text"].replace("\\u{1b}", "").replace("\\r\\n", "").replace("the server", "it")
        return {"refused": {"challenge": challenge, "status": status, "text": expected["refused"]["text"] if said in text else text}}
    if ending == "lost":
        return {"lost": True}
    kind = ending.replace(" ", "_").lower()
    return {kind: expected[kind]} if kind in expected else {kind: text}


def ending(case):
    is_final = _endings.is_final(case["ending"], case.get("code", case.get("status", 0)), case["known"])
    return "end" if is_final else "go on"


def pauses(case):
    runs, results = [_endings.Backoff(), _endings.Backoff()], []
    for step in case["steps"]:
        if "connected_ms" in step:
            for run in runs:
                run.connected(step["connected_ms"])
        else:
            results.append({"pause_ms": [round(run.failed(step["failed_ms"], chance)) for chance, run in enumerate(runs)]})
    return results


def queue(case):
    messages = _queue.Queue(case["max_messages"], case["max_bytes"])
    results = ["queued" if messages.push(text) else "full" for text in case["sends"]]
    queued = [text for text, result in zip(case["sends"], results) if result == "queued"]
    return results if [messages.pop() for _ in queued] == queued else "another order"


def message(case):
    receiver = _frames.Receiver(case.get("max_message_bytes", 1 << 20), case.get("max_fragments", 1024))
    receiver.push(binascii.unhexlify(case["frames_hex"].replace(" ", "")))
    results = []
    try:
        while True:
            opcode, data = receiver.next() or (None, None)
            if opcode is None:
                return results
            elif opcode == _frames.CLOSE:
                results.append({"closed_with": data[0], "reason": data[1]})
            elif opcode == _frames.PING:
                results.append({"answer_with_pong_hex": binascii.hexlify(data).decode()})
            elif opcode == _frames.PONG:
                results.append("sign of life")
            else:
                is_text = isinstance(data, str)
                results.append({"text": data} if is_text else {"binary_hex": binascii.hexlify(data).decode()})
    except HallooError as error:
        expected = case["expect"][-1].get("reason")
        return results + [{"close_with": error.code, "reason": expected}]


def liveness(case):
    actions, at, steps, beat = [], 0, list(case["steps"]), case["heartbeat_ms"]
    keepalive = Keepalive(0, beat)
    while at <= case["until_ms"]:
        action = keepalive.poll(at)
        if action:
            actions.append({"at_ms": at, "action": action})
        if action == "dead":
            break
        step = steps.pop(0) if steps and steps[0]["at_ms"] == at else {"what": None}
        if step["what"] == "bytes":
            keepalive.received(at)
        elif step["what"] == "pong":
            keepalive.pong(at)
        elif step["what"] == "asleep":
            at = step["until_ms"]
            keepalive.wake(at)
            continue
        elif step["what"]:
            keepalive.pause(step["what"] == "stops reading", at)
        at += 1
    return actions


RUNS = {
    "addresses": address,
    "close-codes": lambda case: "end" if _endings.is_final_code(case["code"]) else "pause",
    "clusters": cluster,
    "datagrams": datagram,
    "endings": ending,
    "liveness": liveness,
    "messages": message,
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


def run(directory, file):
    """Return the number of cases that were run, and describe those that failed."""
    with open(f"{directory}/{file}.json") as text:
        document = json.load(text)
    assert document["version"] == 1
    left_out, failures, count = dict(LEFT_OUT.get(file, {})), [], 0
    for case in document["cases"]:
        if left_out.pop(case["name"], None):
            continue
        count += 1
        found = RUNS[file](case)
        if found != case["expect"]:
            failures.append(f"{file}: {case['name']}: {found} instead of {case['expect']}")
    return count, failures + [f"{file}: there is no case `{name}` to leave out" for name in left_out]


failed = False
for file in sorted(RUNS):
    count, failures = run(sys.argv[1], file)
    print(f"{file}: {count} cases", "failed" if failures else "ok")
    for failure in failures:
        print(failure)
    failed = failed or bool(failures)
sys.exit(1 if failed else 0)
