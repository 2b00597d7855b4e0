#!/usr/bin/env python3
"""Measures on a release build how soon clients on a dead link are noticed, and when the server sends beacons again.

A hundred clients run in a network namespace behind a virtual cable that is cut at their end, and a listener on a second
network. All settings are defaults, and no packet leaves this machine. Needs Linux with user namespaces.

Run from the root of the project, after `cargo build --release`:
    unshare -Urn "$(cargo xtask python)" tests/python/links.py
"""

import json
import select
import subprocess
import sys
import time

CLIENTS = 100
# From two addresses, since one may have 64 clients, and ten at a time, since one may be in 32 handshakes.
CLIENTS_PROGRAM = f"""
import asyncio
from websockets.asyncio.client import connect

async def connect_all():
    clients = []
    while len(clients) < {CLIENTS}:
        local = ("192.168.77.%d" % (2 + len(clients) // 10 % 2), 0)
        batch = [connect("ws://192.168.77.1:8765", local_addr=local, ping_interval=None, proxy=None) for _ in range(10)]
        clients += await asyncio.gather(*batch)
    await asyncio.gather(*(client.wait_closed() for client in clients))

asyncio.run(connect_all())
"""
LISTENER_PROGRAM = """
import socket
listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
listener.bind(("", 8766))
while True:
    print(listener.recv(2048).decode(), flush=True)
"""


def run(command):
    subprocess.run(command, shell=True, check=True)


class Device:
    """A network namespace at the other end of a virtual cable."""

    def __init__(self, name, local, *remote):
        self.holder = subprocess.Popen(
            ["unshare", "-n", "sh", "-c", "echo ready; exec cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.holder.stdout.readline()
        run(f"ip link add {name} type veth peer name eth0 netns {self.holder.pid}")
        addresses = "; ".join(f"ip addr add {address} dev eth0" for address in remote)
        self.run(f"{addresses}; ip link set eth0 up")
        run(f"ip addr add {local} dev {name}; ip link set {name} up")

    def prefix(self):
        return ["nsenter", "-t", str(self.holder.pid), "-n"]

    def run(self, command):
        subprocess.run([*self.prefix(), "sh", "-ec", command], check=True)

    def python(self, program):
        return subprocess.Popen([*self.prefix(), sys.executable, "-c", program], stdout=subprocess.PIPE)


def main():
    run("ip link set lo up")
    phones = Device("phones", "192.168.77.1/24", "192.168.77.2/24", "192.168.77.3/24")
    wall = Device("wall", "10.77.0.1/16", "10.77.0.2/16")
    listener = wall.python(LISTENER_PROGRAM)
    serve = ["target/release/halloo", "serve", "--json"]
    server = subprocess.Popen(serve, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    clients = phones.python(CLIENTS_PROGRAM)
    try:
        joined, left, cut = 0, [], None
        while True:
            event = json.loads(server.stdout.readline())
            if event["event"] == "client_joined":
                joined += 1
                if joined == CLIENTS:
                    # Drops the beacons from before the first client.
                    while select.select([listener.stdout], [], [], 0.2)[0]:
                        listener.stdout.readline()
                    phones.run("ip link set eth0 down")
                    cut = time.monotonic()
            elif event["event"] == "client_left":
                left.append((time.monotonic() - cut, event["reason"]))
                if len(left) == CLIENTS:
                    break
        listener.stdout.readline()
        beacon = time.monotonic() - cut - left[-1][0]
        reasons = {reason for _, reason in left}
        print(f"{CLIENTS} clients on a dead link left after {left[0][0]:.2f} to {left[-1][0]:.2f} s, {reasons}")
        print(f"the next beacon arrived on the other network {beacon:.2f} s later")
    finally:
        for process in (clients, server, listener, phones.holder, wall.holder):
            process.kill()


if __name__ == "__main__":
    main()
