"""What the tests share: the program ``halloo``, whose path is in ``HALLOO_PROGRAM``. Everything happens on loopback."""

import json
import os
import queue
import socket
import subprocess
import threading
import time
from typing import Any, Dict

PROGRAM = os.environ.get("HALLOO_PROGRAM", "")
TIMEOUT = 20
TOKEN = "the-otters-meet-at-nine"


def unused_port(kind: socket.SocketKind) -> int:
    with socket.socket(socket.AF_INET, kind) as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class Server:
    """A server that the test drives by JSON."""

    def __init__(self, discovery_port: int, name: str, *arguments: str) -> None:
        command = [PROGRAM, "serve", "--json", "--exit-with-stdin", "--bind", "127.0.0.1", "--no-mdns", "--name", name]
        command += ["--discovery-port", str(discovery_port), *arguments]
        command += [] if "--port" in arguments else ["--port", "0"]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, encoding="utf-8"
        )
        assert self.process.stdin is not None and self.process.stdout is not None
        self._input, self._output = self.process.stdin, self.process.stdout
        self.events: "queue.Queue[Dict[str, Any]]" = queue.Queue()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        self.ready = self.event("ready")

    def _read(self) -> None:
        for line in self._output:
            self.events.put(json.loads(line))

    def event(self, kind: str) -> Dict[str, Any]:
        deadline = time.monotonic() + TIMEOUT
        while True:
            event = self.events.get(timeout=max(deadline - time.monotonic(), 0.01))
            if event["event"] == kind:
                return event

    def command(self, cmd: str, **keys: object) -> None:
        self._input.write(json.dumps({"cmd": cmd, **keys}) + "\n")
        self._input.flush()

    @property
    def url(self) -> str:
        return str(self.ready["urls"][0])

    def stop(self) -> None:
        self._input.close()
        self._finish()

    def kill(self) -> None:
        self.process.kill()
        self._finish()
        self._input.close()

    def _finish(self) -> None:
        self.process.wait(TIMEOUT)
        self.reader.join(TIMEOUT)
        self._output.close()


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
