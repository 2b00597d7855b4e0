"""The programs in ``examples`` against the program ``halloo``. Everything happens on loopback."""

import json
import os
import queue
import socket
import subprocess
import sys
import threading
import unittest
from pathlib import Path
from typing import Callable

from support import PROGRAM, TIMEOUT, Server, unused_port

PACKAGE = Path(__file__).resolve().parents[1]


class Example:
    """A running example. It ends with the test."""

    def __init__(self, test: unittest.TestCase, name: str, target: str) -> None:
        environment = {**os.environ, "PYTHONPATH": str(PACKAGE), "PYTHONIOENCODING": "utf-8"}
        self.process = subprocess.Popen(
            [sys.executable, PACKAGE / "examples" / name, target],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
        )
        self._lines: "queue.Queue[str]" = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        test.addCleanup(self._end)

    def _read(self) -> None:
        for line in self.process.stdout or ():
            self._lines.put(line)

    def next_line(self, is_meant: Callable[[str], bool]) -> str:
        while True:
            line = self._lines.get(timeout=TIMEOUT)
            if is_meant(line):
                return line

    def _end(self) -> None:
        self.process.kill()
        self.process.wait(TIMEOUT)
        self._reader.join(TIMEOUT)
        if self.process.stdout is not None:
            self.process.stdout.close()


@unittest.skipUnless(PROGRAM, "HALLOO_PROGRAM is not set")
class ExamplesTest(unittest.TestCase):
    def serve(self, *arguments: str) -> Server:
        server = Server(unused_port(socket.SOCK_DGRAM), "den", *arguments)
        self.addCleanup(server.kill)
        return server

    def test_none_has_more_than_40_lines(self) -> None:
        for file in (PACKAGE / "examples").iterdir():
            self.assertLessEqual(len(file.read_text(encoding="utf-8").splitlines()), 40, file)

    def test_the_dashboard_shows_what_the_sensor_sends_and_ignores_the_rest(self) -> None:
        server = self.serve("--relay")
        dashboard = Example(self, "dashboard.py", server.url)
        server.event("client_joined")
        for text in ("no JSON", "[" * 100_000, '{"sensor":1}', '{"sensor":"s","value":NaN}', '{"sensor":"s","value":1e999}'):
            server.command("send_to_all", text=text)
        Example(self, "sensor.py", server.url)
        self.assertIn("'temperature'", dashboard.next_line(lambda line: "\u2588" in line))

    def test_a_program_drives_a_game_until_it_ends(self) -> None:
        server = self.serve("--pad")
        player = Example(self, "drive_game.py", server.url)
        first = server.event("message")
        self.assertEqual((json.loads(first["text"])["join"]["name"], json.loads(first["text"])["left"]), ("Python", [0, 0]))
        while json.loads(server.event("message")["text"])["a"] != 1:
            pass
        server.command("send", client=first["client"], text='{"text":"\u001b[2J"}')
        self.assertIn("\\x1b", player.next_line(lambda line: "the game says" in line))
        server.stop()
        self.assertEqual(player.process.wait(TIMEOUT), 0)


if __name__ == "__main__":
    unittest.main()
