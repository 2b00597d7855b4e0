#!/usr/bin/env python3
"""Measures the memory per idle client of a release build of the server on loopback, without TLS and with it.

Run from the root of the project, after `cargo build --release`:
    python3 tests/python/idle.py
"""

import json
import os
import resource
import socket
import ssl
import subprocess
import tempfile
import threading

CLIENTS = 2000
REQUEST = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


def resident(process):
    with open(f"/proc/{process.pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS"))


def connect(port, context):
    stream = socket.create_connection(("127.0.0.1", port))
    if context:
        stream = context.wrap_socket(stream)
    stream.sendall(REQUEST)
    if b" 101 " not in stream.recv(1000):
        raise SystemExit("the handshake was refused")
    return stream


def measure(tls, home):
    command = ["target/release/halloo", "serve", "--json", "--quiet", "--bind", "127.0.0.1", "--port", "0"]
    command += ["--no-discovery", "--heartbeat", "0s"] + (["--tls"] if tls else [])
    environment = {**os.environ, "HOME": home}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as server:
        port = json.loads(server.stdout.readline())["port"]
        # So that the server never blocks on its output.
        threading.Thread(target=server.stdout.read, daemon=True).start()
        alone = resident(server)
        context = ssl._create_unverified_context() if tls else None
        # The first clients also cause one-time allocations.
        clients = [connect(port, context) for _ in range(100)]
        before = resident(server)
        for _ in range(CLIENTS):
            clients.append(connect(port, context))
        each = (resident(server) - before) / CLIENTS
        server.kill()
    name = "TLS" if tls else "plain"
    print(f"{name}: {alone / 1024 / 1024:.1f} MiB without clients, {each:.0f} bytes per idle client")


def main():
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with tempfile.TemporaryDirectory() as home:
        measure(False, home)
        measure(True, home)


if __name__ == "__main__":
    main()
