"""What the tests share: the program ``halloo``, whose path is in ``HALLOO_PROGRAM``. Everything happens on loopback."""

import json
import os
import queue
import socket
import subprocess
import threading
import time

PROGRAM = os.environ.get("HALLOO_PROGRAM")
TIMEOUT = 20
TOKEN = "the-otters-meet-at-nine"


def unused_port(kind):
    with socket.socket(socket.AF_INET, kind) as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Server:
    """A server that the test drives by JSON."""

    def __init__(self, discovery_port, name, *arguments):
        command = [PROGRAM, "serve", "--json", "--exit-with-stdin", "--bind", "127.0.0.1", "--no-mdns", "--name", name]
        command += ["--discovery-port", str(discovery_port), *arguments]
        command += [] if "--port" in arguments else ["--port", "0"]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, encoding="utf-8"
        )
        self.events = queue.Queue()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        self.ready = self.event("ready")

    def _read(self):
        for line in self.process.stdout:
            self.events.put(json.loads(line))

    def event(self, kind):
        deadline = time.monotonic() + TIMEOUT
        while True:
            event = self.events.get(timeout=max(deadline - time.monotonic(), 0.01))
            if event["event"] == kind:
                return event

    def command(self, cmd, **keys):
        self.process.stdin.write(json.dumps({"cmd": cmd, **keys}) + "\n")
        self.process.stdin.flush()

    @property
    def url(self):
        return self.ready["urls"][0]

    def stop(self):
        self.process.stdin.close()
        self._finish()

    def kill(self):
        self.process.kill()
        self._finish()
        self.process.stdin.close()

    def _finish(self):
        self.process.wait(TIMEOUT)
        self.reader.join(TIMEOUT)
        self.process.stdout.close()


def descriptors():
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
