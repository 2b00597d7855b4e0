"""Measures the links beside bare ``websockets``, and a storm of reconnections.

    python bench.py [--program PATH] [--messages N] [--clients N] [--down SECONDS]

The server is the program ``halloo`` in a release build. Each figure is the best of several rounds, in which the peers take
turns, so that another program on the machine slows all of them.
"""

import argparse
import asyncio
import resource
import subprocess
import sys
import time
from pathlib import Path

import websockets.asyncio.client
import websockets.sync.client

import halloo
import halloo.aio

ROUNDS = 5
MESSAGE = "x" * 64
BARE = {"compression": None, "proxy": None, "max_size": None}


class Program:
    """A server whose messages go nowhere, and which sends lines to all clients."""

    def __init__(self, program, port=0):
        command = [program, "serve", "--bind", "127.0.0.1", "--no-discovery", "--port", str(port)]
        # So that a client which is slower than the server is not disconnected.
        command += ["--outbox-max-messages=1048576", "--outbox-max-bytes=1GiB", "--max-outbox-bytes-total=1GiB"]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        line = self.process.stderr.readline()
        while "server started on port" not in line:
            line = self.process.stderr.readline()
        self.port = int(line.rsplit(" ", 1)[1])
        self.url = f"ws://127.0.0.1:{self.port}"
        # Otherwise the log fills its pipe.
        self.log = subprocess.Popen(["cat"], stdin=self.process.stderr, stdout=subprocess.DEVNULL)

    def send_lines(self, count):
        return subprocess.Popen(f"yes {MESSAGE} | head -n {count}", shell=True, stdout=self.process.stdin)

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.log.wait()
        self.process.stdin.close()
        self.process.stderr.close()


def send_sync(connect, url, count):
    """Return the time until all messages have arrived: the server answers the close frame after the last one."""
    start = time.perf_counter()
    with connect(url) as peer:
        for _ in range(count):
            while peer.send(MESSAGE) == "full":
                time.sleep(0.001)
    return time.perf_counter() - start


def receive_sync(connect, program, count):
    with connect(program.url) as peer:
        lines = program.send_lines(count)
        peer.recv()
        start = time.perf_counter()
        for _ in range(count - 1):
            peer.recv()
        taken = time.perf_counter() - start
        lines.wait()
    return taken


async def send_async(connect, url, count):
    start = time.perf_counter()
    async with connect(url) as peer:
        for _ in range(count):
            while await peer.send(MESSAGE) == "full":
                await asyncio.sleep(0.001)
    return time.perf_counter() - start


async def receive_async(connect, program, count):
    async with connect(program.url) as peer:
        lines = program.send_lines(count)
        await peer.recv()
        start = time.perf_counter()
        for _ in range(count - 1):
            await peer.recv()
        taken = time.perf_counter() - start
        await asyncio.to_thread(lines.wait)
    return taken


def measure_rates(program, count):
    """Print messages per second of each link and of the library below it."""

    def bare_sync(url):
        return websockets.sync.client.connect(url, **BARE)

    def bare_async(url):
        return websockets.asyncio.client.connect(url, **BARE)

    loads = {
        "sync out": (lambda peer: send_sync(peer, program.url, count), halloo.connect, bare_sync),
        "sync in": (lambda peer: receive_sync(peer, program, count), halloo.connect, bare_sync),
        "asyncio out": (lambda peer: asyncio.run(send_async(peer, program.url, count)), halloo.aio.connect, bare_async),
        "asyncio in": (lambda peer: asyncio.run(receive_async(peer, program, count)), halloo.aio.connect, bare_async),
    }
    print(f"{'messages of 64 bytes/s':24}{'halloo':>12}{'websockets':>12}{'ratio':>8}")
    for name, (load, link, bare) in loads.items():
        taken = [(load(link), load(bare)) for _ in range(ROUNDS)]
        ours, theirs = (count / min(times) for times in zip(*taken))
        print(f"{name:24}{ours:12,.0f}{theirs:12,.0f}{ours / theirs:8.2f}", flush=True)


async def measure_storm(path, clients, down):
    """Kill the server of many clients, start it again after some seconds, and print when they are back."""
    program = Program(path)
    back = []

    def on_event(event):
        if event.kind == "connected":
            back.append(time.perf_counter())

    links = await asyncio.gather(*(halloo.aio.connect(program.url, timeout=30, on_event=on_event) for _ in range(clients)))
    back.clear()
    program.stop()
    await asyncio.sleep(down)
    restarted = await asyncio.to_thread(Program, path, program.port)
    start = time.perf_counter()
    for link in links:
        await link.wait_connected(30)
    times = sorted(one - start for one in back)
    mean = clients / times[-1]
    busiest = max(sum(first <= one < first + 1 for one in times) for first in times)
    print(
        f"{clients} clients after {down} s: median {times[clients // 2]:.2f} s, last {times[-1]:.2f} s, mean {mean:.0f}/s,"
        f" busiest second {busiest} ({busiest / mean:.2f} of the mean)"
    )
    await asyncio.gather(*(link.close() for link in links))
    await asyncio.to_thread(restarted.stop)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    root = Path(__file__).resolve().parents[2]
    parser.add_argument("--program", default=str(root / "target/release/halloo"))
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--clients", type=int, default=500)
    parser.add_argument("--down", type=float, default=0.0, help="seconds without the server before the storm")
    arguments = parser.parse_args()
    if not Path(arguments.program).exists():
        sys.exit(f"error: {arguments.program} does not exist; run `cargo build --release`, or pass --program")
    # Two descriptors for each client, in case the limit is low.
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4096)), hard))
    program = Program(arguments.program)
    measure_rates(program, arguments.messages)
    program.stop()
    asyncio.run(measure_storm(arguments.program, arguments.clients, arguments.down))


if __name__ == "__main__":
    main()
