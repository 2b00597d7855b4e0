"""Measures the time from the start of a search to the first message from a server, on loopback. The program is that of
``halloo.Server``: the one on PATH, or in the first argument."""

import socket
import sys
import threading
import time

import halloo

RUNS = 50


def answer(server: halloo.Server) -> None:
    for event in server:
        if isinstance(event, halloo.ClientJoined):
            server.send(event.client, "welcome")


def measure(what: str, target: str, discovery_port: int) -> None:
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        with halloo.connect(target, local=True, discovery_port=discovery_port) as link:
            link.recv(timeout=10)
            times.append((time.perf_counter() - start) * 1000)
        # A server answers 200 probes a second.
        time.sleep(0.05)
    times.sort()
    print(f"{what:8} p50 {times[RUNS // 2]:6.1f} ms, at most {times[-1]:6.1f} ms, n {RUNS}")


with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as unused:
    unused.bind(("127.0.0.1", 0))
    port = unused.getsockname()[1]
program = sys.argv[1] if len(sys.argv) > 1 else None
options = {"bind": "127.0.0.1", "no_mdns": True, "discovery_port": port}
with halloo.Server("den", port=0, program=program, **options) as den:
    threading.Thread(target=answer, args=(den,)).start()
    (found,) = halloo.find("den", local=True, port=port)
    for what, target in (("name", "den"), ("id", found.id), ("address", den.url)):
        measure(what, target, port)
