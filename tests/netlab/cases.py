"""The cases: each builds its network, measures, and yields rows of (what, figure, limit, met)."""

import json
import random
import signal
import sys
import time
from pathlib import Path

from lab import HALLOO, PEERS, Lab, Program, cpu, discover, ip, millis, percentile, resident, times

ANNOUNCED, LISTENER = PEERS / "announced.py", PEERS / "listener.py"
FLOOD, NO_NETLINK = Path(__file__).with_name("flood.py"), Path(__file__).with_name("no_netlink.py")


def pair(lab):
    """Creates two machines and a cable between them. The first machine is for the server."""
    server, client = lab.machine("server"), lab.machine("client")
    ends = lab.cable(server, client, 1)
    return server, client, ends


def searches(machine, runs, *arguments):
    """Runs `runs` searches and returns the seconds that each successful one took."""
    found = []
    for _ in range(runs):
        found.append(discover(machine, "--first", *arguments))
        time.sleep(0.3)  # a server replies to one address five times per second
    return [got[0] for got in found if got]


def start_to_found(runs):
    """The time from the start of a search to its first server."""
    for what in ("silent network", "busy server"):
        with Lab() as lab:
            server, client, _ = pair(lab)
            serving = lab.serve(server)
            if what == "busy server":
                lab.client(client, f"ws://10.1.0.1:{serving.port}")
                beacons = Program(client, sys.executable, LISTENER, 8766, 5)
                time.sleep(1)  # the listener is ready, and the beacons at the start are over
            found = searches(client, runs)
            middle, most = 0.02, 0.1 if what == "silent network" else 0.05
            ok = len(found) == runs and percentile(found, 50) <= middle and percentile(found, 99) <= most
            limit = f"{runs} of {runs}, p50 {millis(middle)}, p99 {millis(most)}"
            yield f"start of a search to found, {what}", times(found), limit, ok
            if what == "busy server":
                silent = beacons.line() is None
                yield "beacons of a busy server in 5 s", "0" if silent else "some", "0", silent


def without_ipv4(runs):
    """The same on a network without IPv4."""
    for what, prefix in (("unique local", "fd00::"), ("link-local", "fe80::")):
        with Lab() as lab:
            server, client = lab.machine("server"), lab.machine("client")
            for machine, end, host in zip((server, client), lab.ipv6_cable(server, client), (1, 2)):
                ip(f"addr add {prefix}{host}/64 dev {end} nodad", machine)
            lab.serve(server, "--no-mdns")
            found = searches(client, runs, "--no-mdns")
            ok = len(found) == runs and percentile(found, 50) <= 0.02 and percentile(found, 99) <= 0.1
            limit = f"{runs} of {runs}, p50 20 ms, p99 100 ms"
            yield f"start of a search to found, {what} IPv6 alone", times(found), limit, ok


def loss(runs):
    """The same over a cable that loses three frames of ten."""
    for what, there, back, most in (("one way", 30, 0, 1.2), ("both ways", 30, 30, 4)):
        with Lab() as lab:
            server, client = lab.machine("server"), lab.machine("client")
            lab.lossy_cable(server, client, 1, there, back)
            serving = lab.serve(server)
            lab.client(client, f"ws://10.1.0.1:{serving.port}")  # without a client, beacons could help
            found = searches(client, runs, "--timeout", "5s")
            in_time = sum(1 for taken in found if taken <= most)
            figure = f"{in_time} of {runs}; {times(found)}"
            yield f"30 % loss {what}: found within {most} s", figure, "99 of 100", in_time >= runs * 99 // 100


def three_networks():
    """A server on three networks without a default route. Then one of the links goes down."""
    with Lab() as lab:
        server = lab.machine("server")
        clients = {net: lab.machine(f"client{net}") for net in (1, 2, 3)}
        ends = {net: lab.cable(server, clients[net], net)[0] for net in clients}
        lab.serve(server)
        right = 0
        for net, machine in clients.items():
            found = discover(machine, "--first")
            right += bool(found) and found[1]["url"] == f"ws://10.{net}.0.1:8765"
        yield "3 networks, no default route: correct address on", f"{right} of 3", "3 of 3", right == 3
        ip(f"link set {ends[2]} down", server)
        # Now packets that are not bound to an interface have a route.
        ip("route add default via 10.1.0.2", server)
        listener = Program(clients[1], sys.executable, "-c", CLAIMS, 6)
        found = [discover(clients[net], "--first") for net in (1, 3)]
        yield "one link down: found on the other networks", f"{sum(map(bool, found))} of 2", "2 of 2", all(found)
        heard, strays = json.loads(listener.line()[1])
        listener.end()
        yield "  its beacons on another network", f"{strays} of {heard}", "0", strays == 0 and heard > 0


CLAIMS = """
import json, socket, sys, time
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
sock.bind(("", 8766))
end, heard, strays = time.monotonic() + float(sys.argv[1]), 0, 0
while (left := end - time.monotonic()) > 0:
    sock.settimeout(left)
    try:
        beacon = json.loads(sock.recv(2048))
    except TimeoutError:
        break
    if beacon["service"] == "websocket_server":
        heard += 1
        strays += beacon["ip"] != "10.1.0.1"
print(json.dumps([heard, strays]), flush=True)
"""


def network_comes(runs):
    """The time from a new link or address to the first beacon with that address."""
    for system, prefix, most in (("", [], 0.5), (" without change notifications", [sys.executable, NO_NETLINK], 2.1)):
        for what, there, back in (
            ("link up", "link set {} down", "link set {} up"),
            ("address added", "addr del 10.1.0.1/16 dev {}", "addr add 10.1.0.1/16 dev {}"),
        ):
            taken = []
            with Lab() as lab:
                server, client, (end, _) = pair(lab)
                lab.serve(server, prefix=prefix)
                for _ in range(runs):
                    ip(there.format(end), server)
                    # Bursts of beacons last half a second. After that, at a random time between two beacons.
                    time.sleep(0.7 + random.uniform(0, 2))
                    listener = Program(client, sys.executable, LISTENER, 8766, 5)
                    time.sleep(0.3)
                    start = time.monotonic()
                    ip(back.format(end), server)
                    heard = listener.line()
                    listener.end()
                    if heard and json.loads(heard[1])["ip"] == "10.1.0.1":
                        taken.append(heard[0] - start)
            ok = len(taken) == runs and max(taken) <= most
            yield f"{what} to beacon{system}", f"{times(taken)}, max {millis(max(taken))}", millis(most), ok


def two_servers(runs):
    """Two servers on one machine."""
    with Lab() as lab:
        server, client, _ = pair(lab)
        lab.serve(server, "--name", "one")
        lab.serve(server, "--name", "two")
        both = 0
        for _ in range(runs):
            search = Program(client, HALLOO, "discover", "--json", "--timeout", "500ms")
            ids = {}
            while found := search.event("found"):
                ids[found[1]["name"]] = found[1]["id"]
            search.end()
            time.sleep(0.5)  # a server replies to one address five times per second
            both += set(ids) == {"one", "two"} and ids["one"] != ids["two"]
        yield "2 servers on one machine: both found", f"{both} of {runs}", f"{runs} of {runs}", both == runs


def lost(runs):
    """The time from a shutdown or a kill until a watching browser reports it."""
    for what, signal_number, limit in (("clean stop", signal.SIGTERM, 0.1), ("kill -9", signal.SIGKILL, 10)):
        taken = []
        with Lab() as lab:
            server, client, _ = pair(lab)
            watch = lab.run(client, HALLOO, "discover", "--watch", "--json")
            for _ in range(runs):
                serving = lab.serve(server)
                watch.event("found")
                time.sleep(random.uniform(0.5, 2))  # at a random time between two probes
                start = time.monotonic()
                serving.end(signal_number)
                if gone := watch.event("lost", timeout=30):
                    taken.append(gone[0] - start)
        ok = len(taken) == runs and max(taken) <= limit
        yield f"{what} to lost", f"{times(taken)}, max {millis(max(taken))}", millis(limit), ok


def many_browsers(count=1000):
    """Many browsers that start at the same time."""
    for what in ("silent network", "busy server"):
        with Lab() as lab:
            server, client, (_, end) = pair(lab)
            for number in range(count):
                ip(f"addr add 10.1.{1 + number // 250}.{1 + number % 250}/16 dev {end}", client)
            serving = lab.serve(server)
            if what == "busy server":
                lab.client(client, f"ws://10.1.0.1:{serving.port}")  # without a client, beacons would help
            before, start = cpu(serving.pid), time.monotonic()
            _, result = lab.run(client, sys.executable, FLOOD, "browsers", count).line()
            result = json.loads(result)
            share = (cpu(serving.pid) - before) / (time.monotonic() - start) * 100
            found, last, busiest = result["found"], result["last"], result["busiest"]
            ok = found == count and last <= 6
            yield f"{count} browsers at once, {what}: found", f"{found}, last after {last:.1f} s", "all in 6 s", ok
            yield "  replies in the busiest second", str(busiest), "200", busiest <= 200
            yield "  share of one core", f"{share:.1f} %", "5 %", share < 5


def idle_traffic(seconds=20):
    """The bytes that a server without clients or browsers sends per interface, with UDP, IP and Ethernet headers."""
    for what, arguments, limit in (
        ("with its name", ["--no-mdns", "--name", "living-room"], 200),
        ("strict", ["--no-mdns", "--strict-beacon"], 65),
        ("with multicast DNS", ["--name", "living-room"], 200),
    ):
        with Lab() as lab:
            server, client, (end, _) = pair(lab)
            lab.serve(server, *arguments)
            time.sleep(4)  # the announcements at the start
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
    """No reply is larger than its probe, and none is sent to a network that the server is not attached to."""
    with Lab() as lab:
        server, client, (end, far) = pair(lab)
        lab.serve(server)
        ip("addr add 203.0.113.9/32 dev " + far, client)
        ip("route add 203.0.113.0/24 via 10.1.0.2", server)
        asker = Program(client, sys.executable, "-c", ASK)
        _, result = asker.line(60)
        asker.end()
        result = json.loads(result)
        yield "largest reply, compared with its probe", f"{result['excess']} B", "0 B", result["excess"] <= 0 and result["answered"] > 0
        yield "replies to another network", str(result["outside"]), "0", result["outside"] == 0


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
replies = {size: ask(near, size) for size in range(64, 513, 32)}
got = {size: length for size, length in replies.items() if length}
far = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
far.bind(("203.0.113.9", 0))
far.settimeout(0.3)
outside = sum(ask(far, 512) is not None for _ in range(5))
excess = max(length - size for size, length in got.items())
print(json.dumps({"answered": len(got), "excess": excess, "outside": outside}), flush=True)
"""


def foreign(runs):
    """Programs that implement only the documented protocol, as server and as browser."""
    with Lab() as lab:
        server, client, _ = pair(lab)
        lab.serve(server)
        heard = 0
        for _ in range(runs):
            listener = lab.run(client, sys.executable, LISTENER, 8766, 5)
            heard += listener.line() is not None
        yield "another implementation hears the server", f"{heard} of {runs}", f"{runs} of {runs}", heard == runs
    for what, arguments in (("with beacons only", []), ("with replies, which is busy", ["--answers"])):
        with Lab() as lab:
            server, client, _ = pair(lab)
            place = ["--address", "10.1.0.1", "--broadcast", "10.1.255.255"]
            port = lab.run(server, sys.executable, ANNOUNCED, *place, *arguments).line()[1].strip()
            if arguments:
                lab.client(client, f"ws://10.1.0.1:{port}")
            right = 0
            for _ in range(runs):
                found = discover(client, "--first", "--timeout", "5s")
                right += bool(found) and found[1]["url"] == f"ws://10.1.0.1:{port}"
            yield f"another server {what} is found", f"{right} of {runs}", f"{runs} of {runs}", right == runs


def noise(count=100_000):
    """Random datagrams to the discovery port of a server and of a browser, half of which begin like a probe."""
    for what in ("server", "browser"):
        with Lab() as lab:
            target, client, _ = pair(lab)
            if what == "server":
                pid = lab.serve(target).pid
            else:
                watch = lab.run(target, HALLOO, "discover", "--watch", "--json")
                pid = watch.process.pid
            flood = lambda number: json.loads(
                lab.run(client, sys.executable, FLOOD, "noise", number, "10.1.0.1").line(240)[1]
            )["bytes"]
            back, sizes = flood(count), [resident(pid)]  # after everything that is allocated once
            for _ in range(3):
                back += flood(count)
                sizes.append(resident(pid))
            # A leak grows each time; memory that is used for the first time, only once.
            grown = min(after - before for before, after in zip(sizes, sizes[1:]))
            if what == "server":
                alive = discover(client, "--first") is not None
            else:
                lab.serve(client)
                alive = watch.event("found") is not None
            yield f"4 x {count} random datagrams to a {what}: bytes sent back", str(back), "0", back == 0
            yield "  memory growth each time", f"{grown} KiB", "64 KiB", grown <= 64
            yield "  it works afterwards", "yes" if alive else "no", "yes", alive
