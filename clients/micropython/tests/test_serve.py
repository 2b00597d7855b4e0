"""The client under MicroPython's Unix port against the program `halloo`. Everything happens on loopback.

`HALLOO_PROGRAM` is the program, `HALLOO_TEST_MICROPYTHON` the directory with the package `micropython_unix`."""

import json
import os
import re
import socket
import subprocess
import sys
import threading
import unittest
from pathlib import Path
from queue import Queue

PROGRAM, MICROPYTHON = os.environ.get("HALLOO_PROGRAM"), os.environ.get("HALLOO_TEST_MICROPYTHON")
CLIENT = Path(__file__).resolve().parents[1]
TIMEOUT = 20
TOKEN = "the-otters-meet-at-nine"


def unused_port(kind):
    with socket.socket(socket.AF_INET, kind) as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Child:
    """A process that is driven by lines."""

    def __init__(self, command, **options):
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, encoding="utf-8", **options
        )
        self._lines = Queue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self):
        for line in self.process.stdout:
            self._lines.put(json.loads(line))

    def next(self):
        return self._lines.get(timeout=2 * TIMEOUT)

    def write(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def kill(self):
        self.process.kill()
        self.process.wait(TIMEOUT)
        self._reader.join(TIMEOUT)
        self.process.stdin.close()
        self.process.stdout.close()


class Server(Child):
    def __init__(self, discovery_port, name, *arguments):
        command = [PROGRAM, "serve", "--json", "--exit-with-stdin", "--bind", "127.0.0.1", "--no-mdns", "--name", name]
        command += ["--discovery-port", str(discovery_port), *arguments]
        super().__init__(command + ([] if "--port" in arguments else ["--port", "0"]))
        ready = self.event("ready")
        self.url, self.invitation = ready["urls"][0], ready["invitation"]

    def event(self, kind):
        while True:
            event = self.next()
            if event["event"] == kind:
                return event

    def command(self, cmd, **keys):
        self.write(json.dumps({"cmd": cmd, **keys}))


class Device(Child):
    """MicroPython, which runs lines of Python."""

    def __init__(self):
        environment = dict(os.environ, PYTHONPATH=MICROPYTHON, MICROPYPATH=str(CLIENT))
        super().__init__([sys.executable, "-m", "micropython_unix", str(CLIENT / "tests/device.py")], env=environment)

    def run(self, line):
        self.write(line)
        answer = self.next()
        if "error" in answer:
            raise DeviceError(answer["error"], answer["code"])
        return answer["result"]

    def value(self, expression):
        return self.run("=" + expression)


class DeviceError(Exception):
    @property
    def code(self):
        return self.args[1]


@unittest.skipUnless(PROGRAM and MICROPYTHON, "HALLOO_PROGRAM and HALLOO_TEST_MICROPYTHON are not set")
class ServeTest(unittest.TestCase):
    def setUp(self):
        self.discovery_port = unused_port(socket.SOCK_DGRAM)
        self.device = Device()
        self.addCleanup(self.device.kill)

    def serve(self, name="den", *arguments):
        server = Server(self.discovery_port, name, *arguments)
        self.addCleanup(lambda: server.process.poll() is None and server.kill())
        return server

    def connect(self, target=None, timeout=TIMEOUT, **options):
        options.update(timeout=timeout, local=True, port=self.discovery_port)
        given = ", ".join(f"{name}={value!r}" for name, value in options.items())
        self.device.run(f"link = halloo.connect({target!r}, {given})")

    def wait_for(self, state):
        """Let the link run until it has this state, and return its address."""
        self.device.run("end = halloo._link.now() + %d" % (1000 * TIMEOUT))
        self.device.run(f"while link.state != {state!r} and halloo._link.now() < end: link.poll(); link._wait(end)")
        self.assertEqual(self.device.value("link.state"), state, self.device.value("str(link.last_failure)"))
        return self.device.value("link.url")

    def test_discover_finds_servers_with_and_without_clients(self):
        attic, den = self.serve("attic"), self.serve("den", "--app", "Tanks")
        self.connect("den")
        found = f"[[s.name, s.url, s.clients, s.app] for s in halloo.discover(0.5, local=True, port={self.discovery_port}"
        expected = [["attic", attic.url, 0, None], ["den", den.url, 1, "Tanks"]]
        self.assertEqual(sorted(self.device.value(found + ")]")), expected)
        self.assertEqual(self.device.value(found + ", app='tanks')]"), expected[1:])

    def test_messages_go_both_ways_and_the_link_closes_cleanly(self):
        server = self.serve("Living Room")
        self.connect("living-room")
        self.assertEqual(self.device.value("[link.send('h\\u00e4llo'), link.send(bytes([0, 255]))]"), ["sent", "sent"])
        first, second = server.event("message"), server.event("message")
        self.assertEqual((first["text"], second["binary"]), ("h\u00e4llo", "AP8="))
        server.command("send", client=first["client"], text="\u4f60\u597d")
        server.command("send", client=first["client"], binary="AP8=")
        self.assertEqual(self.device.value(f"link.recv({TIMEOUT})"), "\u4f60\u597d")
        self.assertEqual(self.device.value(f"link.recv({TIMEOUT})"), {"binary": [0, 255]})
        self.assertIsNone(self.device.value("link.recv(0)"))
        self.device.run("link.send('last'); link.close()")
        self.assertEqual(server.event("message")["text"], "last")
        self.assertEqual(server.event("client_left")["code"], 1000)
        self.assertEqual(self.device.value("[link.state, link.error, list(link)]"), ["closed", None, []])
        with self.assertRaises(DeviceError):
            self.device.value("link.send('late')")

    def test_without_a_target_the_only_server_is_meant(self):
        server = self.serve()
        self.connect()
        self.assertEqual(self.device.value("link.url"), server.url)

    def test_a_token_is_proven_and_never_sent(self):
        server = self.serve("den", "--token", TOKEN, "--token-proof-only")
        for target, token in ((server.invitation, None), ("den", TOKEN)):
            self.connect(target, token=token)
            self.device.run("link.send('let in'); link.close()")
            self.assertEqual(server.event("message")["text"], "let in")

    def test_a_wrong_token_ends_the_link(self):
        server = self.serve("den", "--token", TOKEN)
        for target in (server.url, "den"):
            for token in ("a-wrong-token-of-mine", None):
                self.connect(target, timeout=0, token=token)
                self.wait_for("closed")
                self.assertEqual(self.device.value("link.error.code"), 401)
                self.assertIn("invitation link", self.device.value("str(link.error)"))

    def test_a_server_that_does_not_know_the_token_gets_nothing(self):
        server = self.serve()
        with self.assertRaises(DeviceError) as caught:
            self.connect(server.url, token=TOKEN)
        self.assertIn("did not ask for a token", str(caught.exception))

    def test_a_room(self):
        server = self.serve()
        self.connect("den", room="caf\u00e9")
        self.assertEqual(server.event("client_joined")["rooms"], ["caf\u00e9"])
        server.command("send_to_room", room="caf\u00e9", text="hi")
        self.assertEqual(self.device.value(f"link.recv({TIMEOUT})"), "hi")

    def test_a_server_that_restarts_at_its_address_is_reached_again(self):
        port = str(unused_port(socket.SOCK_STREAM))
        server = self.serve("den", "--port", port)
        self.connect(server.url)
        server.kill()
        self.wait_for("waiting")
        restarted = self.serve("den", "--port", port)
        self.assertEqual(self.wait_for("connected"), restarted.url)

    def test_a_server_that_restarted_where_broadcasts_do_not_get_is_found_at_its_last_address(self):
        port = str(unused_port(socket.SOCK_STREAM))
        server = self.serve("den", "--port", port)
        self.connect("den")
        server.kill()
        self.wait_for("waiting")
        # It replies to no probe.
        self.serve("den", "--port", port, "--no-discovery")
        self.wait_for("connected")

    def test_a_server_that_moved_is_found_again_and_gets_what_was_queued(self):
        server = self.serve()
        self.connect("den")
        server.kill()
        self.wait_for("waiting")
        self.assertEqual(self.device.value("[link.send('one'), link.send('two')]"), ["queued", "queued"])
        moved = self.serve()
        self.assertNotEqual(moved.url, server.url)
        self.assertEqual(self.wait_for("connected"), moved.url)
        self.device.run("while link.pending: link.poll()")
        self.assertEqual([moved.event("message")["text"] for _ in range(2)], ["one", "two"])

    def test_another_server_at_the_old_address_is_left_alone(self):
        port = str(unused_port(socket.SOCK_STREAM))
        server = self.serve("den", "--port", port)
        self.connect("den")
        server.kill()
        self.wait_for("waiting")
        attic, moved = self.serve("attic", "--port", port), self.serve("den")
        self.assertEqual(self.wait_for("connected"), moved.url)
        attic.command("status")
        self.assertEqual(attic.event("status")["halloo"]["clients_total"], 0)

    def test_a_name_that_no_server_has(self):
        self.serve("attic")
        self.device.run("halloo._link.SEARCH_TIMEOUT = 300")
        with self.assertRaises(DeviceError) as caught:
            self.connect("den", timeout=1)
        self.assertIn("no server named `den` was found; there is `attic`", str(caught.exception))

    def test_two_servers_with_one_name_are_listed(self):
        servers = [self.serve("den"), self.serve("Den")]
        with self.assertRaises(DeviceError) as caught:
            self.connect("den", timeout=1)
        for server in servers:
            self.assertIn(server.url, str(caught.exception))

    def test_another_server_of_the_cluster_takes_the_place_of_one_that_is_gone(self):
        nodes = {node.url: node for node in (self.serve("Show", "--cluster-name", "stage") for _ in range(2))}
        self.connect("show")
        first = self.wait_for("connected")
        nodes.pop(first).kill()
        self.wait_for("waiting")
        self.assertIn(self.wait_for("connected"), nodes)

    def test_the_application_of_the_server_ends_a_link(self):
        server = self.serve()
        self.connect("den")
        server.command("disconnect", client=server.event("client_joined")["client"], code=4000, reason="enough")
        self.assertEqual(self.device.value("list(link)"), [])
        self.assertEqual(self.device.value("[link.error.code, str(link.error)]"), [4000, "the connection was closed with 4000: enough"])

    def test_an_application_that_does_not_read_loses_nothing(self):
        server = self.serve()
        self.connect(server.url, queue=(10, 1 << 16))
        client = server.event("client_joined")["client"]
        for number in range(300):
            server.command("send", client=client, text=str(number))
        self.assertEqual(self.device.value(f"[link.recv({TIMEOUT}) for _ in range(300)]"), [str(one) for one in range(300)])

    def test_a_full_queue_is_reported(self):
        self.connect("absent", timeout=0, queue=(2, 100))
        self.assertEqual(self.device.value("[link.send('x') for _ in range(3)]"), ["queued", "queued", "full"])
        self.device.run("link.close()")

    def test_large_messages_in_both_directions(self):
        server = self.serve()
        self.connect(server.url, max_message_bytes=200_000)
        self.device.run("link.send('x' * 200000)")
        self.device.run("while link.pending: link.poll()")
        event = server.event("message")
        self.assertEqual(event["text"], "x" * 200_000)
        server.command("send", client=event["client"], text="y" * 200_000)
        self.assertEqual(self.device.value(f"link.recv({TIMEOUT}) == 'y' * 200000"), True)
        server.command("send", client=event["client"], text="z" * 200_001)
        with self.assertRaises(DeviceError) as caught:
            self.device.value(f"link.recv({TIMEOUT})")
        self.assertEqual(caught.exception.code, 1009)
        self.assertEqual(server.event("client_left")["code"], 1009)

    def test_a_plain_websocket_server_is_reached_by_its_address(self):
        from websockets.sync.server import serve

        with serve(lambda peer: [peer.send(message) for message in peer], "127.0.0.1", 0) as server:
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            self.connect(f"ws://127.0.0.1:{server.socket.getsockname()[1]}")
            self.device.run("link.send('echo')")
            self.assertEqual(self.device.value(f"link.recv({TIMEOUT})"), "echo")
            self.device.run("link.close()")
            server.shutdown()
            thread.join()

    def test_many_links_leave_no_socket_behind(self):
        server = self.serve()
        self.device.run("import os")
        cycle = f"halloo.connect({server.url!r}, local=True, port={self.discovery_port}).close()"
        count = "len(list(os.ilistdir('/proc/self/fd')))"
        self.device.run(cycle)
        before = self.device.value(count)
        self.device.run("for _ in range(1000): " + cycle)
        self.assertLessEqual(self.device.value(count), before)

    def test_the_example_of_the_readme_runs(self):
        example = re.search(r"```python\n(.*?)```", (CLIENT / "README.md").read_text(), re.DOTALL).group(1)
        self.assertLessEqual(len(example.splitlines()), 15)
        server = self.serve("living-room")
        local = f"local=True, port={self.discovery_port}"
        example = example.replace("discover()", f"discover(0.5, {local})").replace('("living-room")', f'("living-room", {local})')
        self.device.write("exec(%r, {'print': lambda *_: None})" % example)
        event = server.event("message")
        self.assertEqual(event["text"], "hello")
        server.command("send", client=event["client"], text="stop")
        self.assertEqual(server.event("client_left")["code"], 1000)


if __name__ == "__main__":
    unittest.main()
