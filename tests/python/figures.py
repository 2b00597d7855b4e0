#!/usr/bin/env python3
"""Measures two promises on a release build on loopback: broadcasts reach all clients, and dead clients are noticed.

Run from the root of the project, after `cargo build --release`:
    "$(cargo xtask python)" tests/python/figures.py
"""

import asyncio
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time

from websockets.asyncio.client import connect

CLIENTS = 1000
MESSAGES = 10_000
DISCOVERY_PORT = 9766
SERVE = ["target/release/halloo", "serve", "--json", "--bind", "127.0.0.1", "--port", "0"]
WAITING_CLIENT = "import sys; from websockets.sync.client import connect; connect(sys.argv[1], proxy=None).recv()"


def start(*options):
    server = subprocess.Popen(
        [*SERVE, *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0
    )
    return server, json.loads(server.stdout.readline())["urls"][0]


async def broadcasts_reach_all_clients():
    server, url = start("--no-discovery")
    clients = []
    while len(clients) < CLIENTS:
        batch = [connect(url, compression=None, ping_interval=None, max_queue=None, proxy=None) for _ in range(50)]
        clients += await asyncio.gather(*batch)

    async def read(client):
        for number in range(MESSAGES):
            message = await client.recv()
            if message != f"{number:064d}":
                raise ValueError(f"expected {number}, got {message}")

    def send():
        for number in range(MESSAGES):
            server.stdin.write((json.dumps({"cmd": "send_to_all", "text": f"{number:064d}"}) + "\n").encode())

    start_time = time.monotonic()
    await asyncio.gather(asyncio.to_thread(send), *map(read, clients))
    print(f"{CLIENTS} clients received {MESSAGES} messages of 64 bytes in order in {time.monotonic() - start_time:.1f} s")
    server.kill()


def dead_clients_are_noticed():
    beacons = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    beacons.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if hasattr(socket, "SO_REUSEPORT"):
        beacons.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    beacons.bind(("", DISCOVERY_PORT))
    server, url = start("--discovery-port", str(DISCOVERY_PORT))
    client = subprocess.Popen([sys.executable, "-c", WAITING_CLIENT, url])
    for line in server.stdout:
        event = json.loads(line)
        if event["event"] == "client_joined":
            os.kill(client.pid, signal.SIGSTOP)
            stopped = time.monotonic()
            beacons.setblocking(False)
            try:
                while True:
                    beacons.recv(2048)
            except BlockingIOError:
                beacons.settimeout(20)
        if event["event"] == "client_left":
            left = time.monotonic() - stopped
            beacons.recv(2048)
            print(f"a stopped client left after {left:.2f} s, the next beacon came {time.monotonic() - stopped - left:.2f} s later")
            break
    client.kill()
    server.kill()


if __name__ == "__main__":
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    dead_clients_are_noticed()
    asyncio.run(broadcasts_reach_all_clients())
