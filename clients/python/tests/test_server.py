"""``halloo.Server`` and ``python -m halloo``, which drive the program ``halloo``."""

import contextlib
import io
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import unittest
from pathlib import Path
from typing import Any, Optional, Type, TypeVar
from unittest import mock

import halloo
from support import PROGRAM, TIMEOUT, TOKEN, descriptors, unused_port

_Event = TypeVar("_Event")
LOCAL = {"port": 0, "bind": "127.0.0.1", "no_discovery": True}
QUIET = logging.getLogger("halloo.tests")
QUIET.propagate = False
QUIET.addHandler(logging.NullHandler())


def next_of(server: halloo.Server, kind: Type[_Event]) -> _Event:
    while True:
        event = server.wait_event(TIMEOUT)
        if isinstance(event, kind):
            return event


def wait_for_end(server: halloo.Server) -> None:
    with contextlib.suppress(halloo.Closed):
        while True:
            server.wait_event(TIMEOUT)


@unittest.skipUnless(PROGRAM, "HALLOO_PROGRAM is not set")
class ServerTest(unittest.TestCase):
    def serve(self, name: str = "den", **options: Any) -> halloo.Server:
        server = halloo.Server(name, **{"program": PROGRAM, "log": QUIET, **LOCAL, **options})
        self.addCleanup(server.close)
        return server

    def connect(self, server: halloo.Server, **options: Any) -> halloo.Link:
        link = halloo.connect(server.url, timeout=TIMEOUT, **options)
        self.addCleanup(link.close)
        return link

    def test_an_echo_in_a_loop_over_the_events(self) -> None:
        with self.serve() as server:
            link = self.connect(server)
            link.send("h\u00e4llo")
            link.send(b"\x00\xff")
            for event in server:
                if isinstance(event, halloo.MessageReceived):
                    self.assertEqual(server.send(event.client, event.message), "queued")
                    if event.message == b"\x00\xff":
                        break
            self.assertEqual((link.recv(TIMEOUT), link.recv(TIMEOUT)), ("h\u00e4llo", b"\x00\xff"))
        self.assertIsNone(server.error)
        with self.assertRaises(halloo.Closed):
            server.send_to_all("late")

    def test_rooms_and_what_a_client_says(self) -> None:
        server = self.serve(subprotocol="chess")
        link = self.connect(server, room="red", subprotocols=["chess"])
        joined = next_of(server, halloo.ClientJoined)
        self.assertEqual((joined.path, joined.rooms, joined.subprotocol), ("/room/red", ("red",), "chess"))
        self.assertEqual(server.rooms(TIMEOUT), {"red": 1})
        server.join(joined.client, "blue")
        server.leave(joined.client, "red")
        self.assertEqual(server.rooms(TIMEOUT), {"blue": 1})
        server.send_to_room("blue", "hi")
        server.send_to_all("all")
        self.assertEqual((link.recv(TIMEOUT), link.recv(TIMEOUT)), ("hi", "all"))
        server.disconnect(joined.client, 4000, "enough")
        self.assertEqual(list(link), [])
        left = next_of(server, halloo.ClientLeft)
        self.assertEqual((left.code, left.reason, left.rooms, left.clients), (4000, "enough", ("blue",), 0))

    def test_discovery_and_properties(self) -> None:
        port = unused_port(socket.SOCK_DGRAM)
        server = self.serve(no_discovery=None, no_mdns=True, discovery_port=port, meta={"map": "desert"}, app="Tanks")
        self.assertEqual(server.app, "Tanks")
        self.assertTrue(next_of(server, halloo.DiscoveryChanged).active)
        server.set_meta({"map": "forest", "players": "3"})
        server.broadcast_now()
        found = halloo.find("den", TIMEOUT, local=True, port=server.discovery_port)
        self.assertEqual([dict(one.meta) for one in found], [{"map": "forest", "players": "3"}])
        server.stop_discovery()
        self.assertFalse(next_of(server, halloo.DiscoveryChanged).active)
        server.start_discovery()
        self.assertTrue(next_of(server, halloo.DiscoveryChanged).active)

    def test_status_and_invitations(self) -> None:
        server = self.serve(token=TOKEN, tls="both", max_clients=3)
        self.assertEqual(server.status(TIMEOUT)["halloo"]["name"], "den")
        self.assertEqual(server.token, TOKEN)
        self.assertIn(TOKEN, server.secure_invitation or "")
        command = Path(f"/proc/{server.pid}/cmdline")
        self.assertNotIn(TOKEN, command.read_text() if command.exists() else "")
        with halloo.connect(server.secure_invitation, timeout=TIMEOUT) as link:
            self.assertTrue((link.url or "").startswith("wss://"))
        self.assertEqual(len(self.serve(token=True).token or ""), 22)

    def test_a_command_that_fails_is_an_event(self) -> None:
        server = self.serve()
        server.send(99, "to no client")
        self.assertIn("not connected", next_of(server, halloo.ErrorReported).message)
        with self.assertRaises(ValueError) as caught:
            server.send_to_all("x" * (8 << 20))
        self.assertIn("send a smaller message", str(caught.exception))

    def test_a_server_that_cannot_start_says_why(self) -> None:
        for options, reason in (({"max_clients": "many"}, "whole number"), ({"token": "short"}, "16 to 256 characters")):
            with self.assertRaises(halloo.StartFailed) as caught:
                self.serve(**options)
            self.assertIn(reason, str(caught.exception))

    def test_a_missing_program_says_where_to_get_it(self) -> None:
        with self.assertRaises(halloo.ProgramNotFound):
            self.serve(program="/absent/halloo")
        with mock.patch.dict(os.environ, {"PATH": "/absent"}), self.assertRaises(halloo.ProgramNotFound) as caught:
            self.serve(program=None)
        self.assertIn("cargo install --path crates/halloo-cli", str(caught.exception))

    def test_a_program_that_was_killed_ends_the_iteration(self) -> None:
        server = self.serve()
        os.kill(server.pid, signal.SIGKILL)
        wait_for_end(server)
        self.assertIn("signal 9", str(server.error))
        with self.assertRaises(halloo.Closed) as caught:
            server.send_to_all("late")
        self.assertIn("signal 9", str(caught.exception))

    def test_the_log_goes_to_standard_error_or_to_a_logger(self) -> None:
        with self.assertLogs(QUIET) as caught:
            self.serve().close()
        self.assertIn("server started", "".join(caught.output))
        stderr = io.StringIO()
        with contextlib.redirect_stderr(stderr):
            self.serve(log=None).close()
        self.assertIn("server started", stderr.getvalue())

    def test_an_event_of_the_application_stops_it(self) -> None:
        stop = threading.Event()
        server = self.serve(stop=stop)
        threading.Timer(0.05, stop.set).start()
        wait_for_end(server)
        self.assertIsNone(server.error)

    def test_an_application_that_takes_no_events_loses_none(self) -> None:
        server = self.serve(queue=(20, 1 << 20))
        link = self.connect(server)
        for number in range(2000):
            link.send(f"{number:01000}")
        # More than the queue, the pipe and the server hold.
        self.assertEqual(server.wait_event(TIMEOUT), halloo.ClientJoined(1, mock.ANY, 1, "/"))
        received = [next_of(server, halloo.MessageReceived).message for _ in range(2000)]
        self.assertEqual(received, [f"{number:01000}" for number in range(2000)])

    def test_an_answer_arrives_although_no_events_are_taken(self) -> None:
        server = self.serve(queue=(20, 1 << 20))
        link = self.connect(server)
        for number in range(30):
            link.send(str(number))
        while server.status(TIMEOUT)["halloo"]["messages_received"] < 30:
            pass
        self.assertEqual([next_of(server, halloo.MessageReceived).message for _ in range(30)], [str(one) for one in range(30)])

    def test_many_servers_leave_no_thread_and_no_descriptor(self) -> None:
        self.serve().close()
        before = (threading.active_count(), descriptors())
        for _ in range(10):
            self.serve().close()
        self.assertEqual((threading.active_count(), descriptors()), before)

    def test_the_server_ends_when_python_is_killed(self) -> None:
        script = (
            "import halloo, sys, time\n"
            "server = halloo.Server(program=sys.argv[1], port=0, bind='127.0.0.1', no_discovery=True)\n"
            "print(server.url, flush=True)\n"
            "time.sleep(60)\n"
        )
        command = [sys.executable, "-c", script, PROGRAM]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as python:
            assert python.stdout is not None
            link = halloo.connect(python.stdout.readline().strip(), timeout=TIMEOUT, reconnect=False)
            self.addCleanup(link.close)
            python.kill()
            with self.assertRaises(halloo.Closed) as caught:
                link.recv(TIMEOUT)
            self.assertEqual(caught.exception.code, 1001)

    def test_the_server_ends_with_a_program_that_does_not_close_it(self) -> None:
        script = (
            "import halloo, sys\n"
            "server = halloo.Server(program=sys.argv[1], port=0, bind='127.0.0.1', no_discovery=True)\n"
            "server.send_to_all('queued')\n"
        )
        done = subprocess.run([sys.executable, "-c", script, PROGRAM], capture_output=True, text=True, timeout=TIMEOUT)
        self.assertEqual(done.returncode, 0)
        self.assertIn("server stopped", done.stderr)


@unittest.skipUnless(PROGRAM, "HALLOO_PROGRAM is not set")
class MainTest(unittest.TestCase):
    def run_main(self, *arguments: str, path: Optional[str] = None) -> "subprocess.Popen[str]":
        environment = {**os.environ, "PATH": path or os.path.dirname(PROGRAM)}
        return subprocess.Popen(
            [sys.executable, "-m", "halloo", *arguments],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def test_it_has_the_output_and_the_exit_code_of_the_program(self) -> None:
        for arguments in (["--version"], ["serve", "--absent"]):
            expected = subprocess.run([PROGRAM, *arguments], capture_output=True, text=True)
            with self.run_main(*arguments) as main:
                output = main.communicate(timeout=TIMEOUT)
            self.assertEqual((*output, main.returncode), (expected.stdout, expected.stderr, expected.returncode))

    @unittest.skipIf(os.name == "nt", "Windows has no such signals")
    def test_a_signal_reaches_the_program(self) -> None:
        with self.run_main("serve", "--json", "--no-discovery", "--bind", "127.0.0.1", "--port", "0") as main:
            assert main.stdout is not None
            self.assertIn('"ready"', main.stdout.readline())
            main.send_signal(signal.SIGTERM)
            output, _ = main.communicate(timeout=TIMEOUT)
        self.assertEqual((output, main.returncode), ('{"event":"stopped"}\n', 0))

    def test_a_missing_program_is_an_error(self) -> None:
        with self.run_main(path="/absent") as main:
            _, error = main.communicate(timeout=TIMEOUT)
        self.assertEqual(main.returncode, 1)
        self.assertIn("error: the program `halloo` is neither", error)


if __name__ == "__main__":
    unittest.main()
