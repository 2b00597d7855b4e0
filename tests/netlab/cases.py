"""The figures of discovery: each case builds its network, measures, and answers rows of (what, figure, limit, met)."""

import json
import signal
import sys
import time
from pathlib import Path

from lab import HALLOO, PEERS, Lab, Program, cpu, discover, ip, millis, percentile, times

LISTENER = PEERS / "listener.py"
FLOOD = Path(__file__).with_name("flood.py")


def pair(lab):
    """Two machines and a cable; the first is for the server."""
    server, client = lab.machine("server"), lab.machine("client")
    ends = lab.cable(server, client, 1)
    return server, client, ends


def searches(machine, runs, *arguments):
    """Seconds that each of so many searches took which found a server."""
    found = []
    for _ in range(runs):
        found.append(discover(machine, "--first", *arguments))
        time.sleep(0.3)  # a server answers one address five times a second
    return [got[0] for got in found if got]


def start_to_found(runs):
    """A search, from the start of the process to its first server."""
    for what in ("silent network", "busy server"):
        with Lab() as lab:
            server, client, _ = pair(lab)
            serving = lab.serve(server)
            if what == "busy server":
                lab.client(client, f"ws://10.1.0.1:{serving.port}")
                beacons = Program(client, sys.executable, LISTENER, 8766, 5)
                time.sleep(1)  # the listener is there; the burst of the start is over
            found = searches(client, runs)
            ok = len(found) == runs and percentile(found, 99) <= 0.05
            yield f"start of a search to Found, {what}", times(found), f"{runs} of {runs}, p99 50 ms", ok
            if what == "busy server":
                silent = beacons.line() is None
                yield "beacons of a busy server in 5 s", "0" if silent else "some", "0", silent


def loss(runs):
    """The same over a cable that loses three of ten frames."""
    for what, there, back in (("one way", 30, 0), ("both ways", 30, 30)):
        with Lab() as lab:
            server, client = lab.machine("server"), lab.machine("client")
            lab.lossy_cable(server, client, 1, there, back)
            serving = lab.serve(server)
            lab.client(client, f"ws://10.1.0.1:{serving.port}")  # or a beacon could help
            found = searches(client, runs, "--timeout", "5s")
            ok = len(found) >= runs * 99 // 100
            yield f"30 % lost {what}: found within 5 s", f"{len(found)} of {runs}; {times(found)}", "99 of 100", ok


def three_networks():
    """A server on three networks, without a default route; then one of them loses its link."""
    with Lab() as lab:
        server = lab.machine("server")
        clients = {net: lab.machine(f"client{net}") for net in (1, 2, 3)}
        ends = {net: lab.cable(server, clients[net], net)[0] for net in clients}
        lab.serve(server)
        right = 0
        for net, machine in clients.items():
            found = discover(machine, "--first")
            right += bool(found) and found[1]["url"] == f"ws://10.{net}.0.1:8765"
        yield "3 networks, no default route: right address on", f"{right} of 3", "3 of 3", right == 3
        ip(f"link set {ends[2]} down", server)
        found = [discover(clients[net], "--first") for net in (1, 3)]
        yield "one link down: found on the others", f"{sum(map(bool, found))} of 2", "2 of 2", all(found)


def network_comes(runs):
    """A link or an address that comes while the server runs, to the first beacon with that address."""
    for what in ("link up", "address added"):
        taken = []
        with Lab() as lab:
            server, client, (end, _) = pair(lab)
            lab.serve(server)
            for _ in range(runs):
                if what == "link up":
                    ip(f"link set {end} down", server)
                else:
                    ip(f"addr del 10.1.0.1/16 dev {end}", server)
                time.sleep(0.7)  # bursts last half a second
                listener = Program(client, sys.executable, LISTENER, 8766, 5)
                time.sleep(0.3)
                start = time.monotonic()
                ip(f"link set {end} up" if what == "link up" else f"addr add 10.1.0.1/16 dev {end}", server)
                heard = listener.line()
                listener.end()
                if heard and json.loads(heard[1])["ip"] == "10.1.0.1":
                    taken.append(heard[0] - start)
        ok = len(taken) == runs and max(taken) <= 0.5
        yield f"{what} to beacon", f"{times(taken)}, max {millis(max(taken))}", "500 ms", ok


def two_servers(runs):
    """Two servers on one machine."""
    with Lab() as lab:
        server, client, _ = pair(lab)
        lab.serve(server, "--name", "one")
        lab.serve(server, "--name", "two")
        both = 0
        for _ in range(runs):
            search = Program(client, HALLOO, "discover", "--json", "--timeout", "500ms")
            names = set()
            while found := search.event("found"):
                names.add(found[1]["name"])
            search.end()
            time.sleep(0.5)  # a server answers one address five times a second
            both += names == {"one", "two"}
        yield "2 servers on one machine: both found", f"{both} of {runs}", f"{runs} of {runs}", both == runs


def lost():
    """A stop, and a kill, until a watching browser tells."""
    for what, how, limit in (("clean stop", signal.SIGTERM, 1), ("kill -9", signal.SIGKILL, 15)):
        with Lab() as lab:
            server, client, _ = pair(lab)
            serving = lab.serve(server)
            watch = lab.run(client, HALLOO, "discover", "--watch", "--json")
            watch.event("found")
            start = time.monotonic()
            serving.end(how)
            gone = watch.event("lost", patience=30)
            figure = millis(gone[0] - start) if gone else "never"
            yield f"{what} to Lost", figure, f"{limit} s", bool(gone) and gone[0] - start <= limit


def many_browsers(count=1000):
    """All of them start at once."""
    for what in ("silent network", "busy server"):
        with Lab() as lab:
            server, client, (_, end) = pair(lab)
            for number in range(count):
                ip(f"addr add 10.1.{1 + number // 250}.{1 + number % 250}/16 dev {end}", client)
            serving = lab.serve(server)
            if what == "busy server":
                lab.client(client, f"ws://10.1.0.1:{serving.port}")  # or a beacon would help
            before, start = cpu(serving.pid), time.monotonic()
            _, told = lab.run(client, sys.executable, FLOOD, "browsers", count).line()
            told = json.loads(told)
            share = (cpu(serving.pid) - before) / (time.monotonic() - start) * 100
            found, last, busiest = told["found"], told["last"], told["busiest"]
            ok = found == count and last <= 6
            yield f"{count} browsers at once, {what}: found", f"{found}, last after {last:.1f} s", "all in 6 s", ok
            yield "  replies in the busiest second", str(busiest), "200", busiest <= 200
            yield "  share of one core", f"{share:.1f} %", "5 %", share < 5


def idle_traffic(seconds=20):
    """What a server with nobody around sends on each interface, with the headers of UDP, IP and Ethernet."""
    for what, arguments, limit in (
        ("with its name", ["--no-mdns", "--name", "living-room"], 200),
        ("strict", ["--no-mdns", "--strict-beacon"], 65),
        ("with multicast DNS", ["--name", "living-room"], 200),
    ):
        with Lab() as lab:
            server, client, (end, _) = pair(lab)
            lab.serve(server, *arguments)
            time.sleep(4)  # the announcements of the start
            counter = Program(client, sys.executable, "-c", COUNT, seconds)
            _, sent = counter.line(seconds + 10)
            counter.end()
            rate = int(sent) / seconds
            yield f"idle traffic, {what}", f"{rate:.0f} B/s", f"{limit} B/s", rate <= limit


COUNT = """
import select, socket, sys, time
sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800))
end, total = time.monotonic() + float(sys.argv[1]), 0
while (left := end - time.monotonic()) > 0:
    if select.select([sock], [], [], left)[0]:
        total += len(sock.recv(65536))
print(total, flush=True)
"""


def replies():
    """No reply is larger than its probe, and none leaves the networks that the server is attached to."""
    with Lab() as lab:
        server, client, (end, far) = pair(lab)
        lab.serve(server)
        ip("addr add 203.0.113.9/32 dev " + far, client)
        ip("route add 203.0.113.0/24 via 10.1.0.2", server)
        asker = Program(client, sys.executable, "-c", ASK)
        _, told = asker.line(60)
        asker.end()
        told = json.loads(told)
        yield "largest reply beyond its probe", f"{told['excess']} B", "0 B", told["excess"] <= 0 and told["answered"] > 0
        yield "replies to another network", str(told["outside"]), "0", told["outside"] == 0


ASK = """
import json, socket, time
def ask(sock, size):
    head = '{"service":"websocket_server_probe","v":2,"nonce":"n","pad":"'
    sock.sendto((head + "." * (size - len(head) - 2) + '"}').encode(), ("10.1.0.1", 8766))
    try:
        return len(sock.recv(2048))
    except TimeoutError:
        return None
near = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
near.settimeout(0.3)
answers = {size: ask(near, size) for size in range(64, 513, 32)}
got = {size: length for size, length in answers.items() if length}
far = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
far.bind(("203.0.113.9", 0))
far.settimeout(0.3)
outside = sum(ask(far, 512) is not None for _ in range(5))
excess = max(length - size for size, length in got.items())
print(json.dumps({"answered": len(got), "excess": excess, "outside": outside}), flush=True)
"""


def foreign():
    """Programs written from the documented contract alone, on either side."""
    with Lab() as lab:
        server, client, _ = pair(lab)
        lab.serve(server)
        heard = lab.run(client, sys.executable, LISTENER, 8766, 5).line()
        yield "a foreign listener hears the server", "yes" if heard else "no", "yes", bool(heard)
    with Lab() as lab:
        server, client, _ = pair(lab)
        lab.run(server, sys.executable, "-c", CALL)
        found = discover(client, "--first", "--timeout", "5s")
        ok = bool(found) and found[1]["url"] == "ws://10.1.0.1:8765"
        yield "a foreign server is found", found[1]["url"] if found else "no", "yes", ok


CALL = """
import json, socket, time
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
sock.bind(("10.1.0.1", 0))
while True:
    beacon = {"service": "websocket_server", "ip": "10.1.0.1", "port": 8765, "timestamp": int(time.time())}
    sock.sendto(json.dumps(beacon).encode(), ("10.1.255.255", 8766))
    time.sleep(2)
"""


def noise(count=100_000):
    """Random datagrams to the discovery port, half of them beginning as a probe does."""
    with Lab() as lab:
        server, client, _ = pair(lab)
        lab.serve(server)
        _, told = lab.run(client, sys.executable, FLOOD, "noise", count, "10.1.0.1").line(120)
        back = json.loads(told)["bytes"]
        alive = discover(client, "--first") is not None
        yield f"{count} random datagrams: bytes that came back", str(back), "0", back == 0
        yield "  the server is found after them", "yes" if alive else "no", "yes", alive
