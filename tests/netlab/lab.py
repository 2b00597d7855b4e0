"""Machines (network namespaces), cables between them, and the programs that run on them.

Everything runs in a namespace from which no packet leaves this machine.
"""

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

HALLOO = os.environ["HALLOO"]
PEERS = Path(__file__).parent.parent / "python"
LOSS = Path(__file__).with_name("loss.py")
TIMEOUT = 15  # seconds; much longer than any figure here


def ip(arguments, machine=None):
    """Runs an `ip` command on a machine."""
    namespace = ["-n", machine] if machine else []
    subprocess.run(["ip", *namespace, *arguments.split()], check=True)


def wait_for_link(machine, interface):
    """Waits until the interface is up and has a link."""
    end = time.monotonic() + TIMEOUT
    while "LOWER_UP" not in (state := show(machine, interface)) or "state UP" not in state:
        if time.monotonic() > end:
            sys.exit(f"no link: {state}")
        time.sleep(0.01)


def show(machine, interface):
    command = ["ip", "-n", machine, "link", "show", interface]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


class Program:
    """A program on a machine, and the lines of its output with their times."""

    def __init__(self, machine, *arguments):
        command = ["ip", "netns", "exec", machine, *map(str, arguments)]
        self.started = time.monotonic()
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put((time.monotonic(), line))
        self.lines.put((time.monotonic(), None))

    def line(self, timeout=TIMEOUT):
        """Returns the time and the text of the next line; None at the end of the output or after the timeout."""
        try:
            moment, text = self.lines.get(timeout=timeout)
        except queue.Empty:
            return None
        return None if text is None else (moment, text)

    def event(self, *kinds, timeout=TIMEOUT):
        """Returns the time and the content of the next event of one of these kinds."""
        end = time.monotonic() + timeout
        while (got := self.line(max(0, end - time.monotonic()))) is not None:
            content = json.loads(got[1])
            if content.get("event") in kinds:
                return got[0], content
        return None

    def end(self, signal_number=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(signal_number)
        self.process.wait()
        self.process.stdin.close()


class Lab:
    """The machines of a case, which are removed at its end."""

    def __init__(self):
        self.stack = contextlib.ExitStack()
        self.cables = 0

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.stack.close()

    def machine(self, name):
        subprocess.run(["ip", "netns", "add", name], check=True)
        self.stack.callback(subprocess.run, ["ip", "netns", "del", name], check=True)
        ip("link set lo up", name)
        return name

    def cable(self, one, other, net):
        """Adds a cable. `one` gets 10.NET.0.1, `other` gets 10.NET.0.2. Returns the names of its ends."""
        ends = self._ends(one, other)
        for machine, end, host in ((one, ends[0], 1), (other, ends[1], 2)):
            ip(f"addr add 10.{net}.0.{host}/16 dev {end}", machine)
            ip(f"link set {end} up", machine)
        wait_for_link(one, ends[0])
        wait_for_link(other, ends[1])
        return ends

    def ipv6_cable(self, one, other):
        """Adds a cable without IPv4, whose link-local addresses can be used at once. Returns the names of its ends."""
        ends = self._ends(one, other)
        for machine, end in ((one, ends[0]), (other, ends[1])):
            command = f"echo 0 > /proc/sys/net/ipv6/conf/{end}/accept_dad"
            subprocess.run(["ip", "netns", "exec", machine, "sh", "-c", command], check=True)
            ip(f"link set {end} up", machine)
        wait_for_link(one, ends[0])
        wait_for_link(other, ends[1])
        return ends

    def _ends(self, one, other):
        """Creates a cable and returns the names of its ends."""
        self.cables += 1
        ends = f"c{self.cables}a", f"c{self.cables}b"
        # If both ends have the same index, Linux takes the cable for a device without a peer and reports its link up to a
        # second late.
        numbers = 100 + 2 * self.cables, 101 + 2 * self.cables
        ip(f"link add {ends[0]} index {numbers[0]} netns {one} type veth "
           f"peer name {ends[1]} index {numbers[1]} netns {other}")
        return ends

    def lossy_cable(self, one, other, net, there, back):
        """Adds a cable that loses `there` % of the frames from `one` to `other`, and `back` % on the way back."""
        middle = self.machine("middle")
        ends = []
        for machine, host in ((one, 1), (other, 2)):
            near, far = self._ends(machine, middle)
            ip(f"addr add 10.{net}.0.{host}/16 dev {near}", machine)
            ip(f"link set {near} up", machine)
            ip(f"link set {far} up", middle)
            wait_for_link(machine, near)
            ends.append(far)
        forwarder = self.run(middle, sys.executable, LOSS, *ends, there, back)
        if forwarder.line() is None:
            sys.exit("cannot set up a lossy cable")

    def run(self, machine, *arguments):
        program = Program(machine, *arguments)
        self.stack.callback(program.end)
        return program

    def serve(self, machine, *arguments, prefix=()):
        """Starts a server and waits until it listens. `prefix` is a command that starts it."""
        server = self.run(machine, *prefix, HALLOO, "serve", "--json", "-q", *arguments)
        _, ready = server.event("ready")
        server.port = ready["port"]
        server.pid = server.process.pid
        return server

    def client(self, machine, url):
        """Connects a client."""
        program = "import sys, time; from websockets.sync.client import connect; c = connect(sys.argv[1], proxy=None)\n"
        client = self.run(machine, sys.executable, "-c", program + "print('in', flush=True); time.sleep(600)", url)
        if client.line() is None:
            sys.exit(f"cannot connect to {url}")
        return client


def discover(machine, *arguments):
    """Runs a search. Returns the seconds until its first server, and the event; None if it found none."""
    program = Program(machine, HALLOO, "discover", "--json", *arguments)
    found = program.event("found")
    program.end()
    return (found[0] - program.started, found[1]) if found else None


def cpu(pid):
    """Returns the CPU time of a process in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident(pid):
    """Returns the resident size of a process in KiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


def percentile(values, percent):
    """Returns the smallest value that `percent` % of the values do not exceed."""
    ordered = sorted(values)
    return ordered[-(-len(ordered) * percent // 100) - 1]


def millis(seconds):
    return f"{seconds * 1000:.0f} ms"


def times(values):
    return f"p50 {millis(percentile(values, 50))}, p99 {millis(percentile(values, 99))}, n {len(values)}"
