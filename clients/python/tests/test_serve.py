"""The package against the program ``halloo``. Everything happens on loopback."""

import base64
import queue
import re
import socket
import threading
import time
import unittest
from typing import Any, Callable, List, Sequence, Tuple
from unittest import mock

import halloo
from halloo import _connection
from support import PROGRAM, TIMEOUT, TOKEN, Server, descriptors, unused_port


@unittest.skipUnless(PROGRAM, "HALLOO_PROGRAM is not set")
class ServeTest(unittest.TestCase):
    api: Any = halloo

    def setUp(self) -> None:
        self.discovery_port = unused_port(socket.SOCK_DGRAM)

    def serve(self, name: str = "den", *arguments: str) -> Server:
        server = Server(self.discovery_port, name, *arguments)
        self.addCleanup(server.kill)
        return server

    def connect(self, target: Any = None, **options: Any) -> Any:
        options = {"timeout": TIMEOUT, "local": True, "discovery_port": self.discovery_port, **options}
        link = self.api.connect(target, **options)
        self.addCleanup(link.close)
        return link

    def discover(self, timeout: float = 0.5) -> List[halloo.ServerInfo]:
        found: List[halloo.ServerInfo] = self.api.discover(timeout, local=True, port=self.discovery_port)
        return found

    def send_all(self, link: Any, messages: Sequence[str]) -> List[str]:
        return [link.send(message) for message in messages]

    def stop_event(self) -> Tuple[Any, Callable[[], object]]:
        stop = threading.Event()
        return stop, stop.set

    def test_discover_finds_servers_with_and_without_clients(self) -> None:
        self.serve("attic")
        den = self.serve("den", "--meta", "map=desert", "--app", "Tanks")
        with self.connect("den"):
            found = {server.name: server for server in self.discover()}
        self.assertEqual(sorted(found), ["attic", "den"])
        server = found["den"]
        self.assertEqual((server.url, server.clients, server.app), (den.url, 1, "Tanks"))
        self.assertEqual(dict(server.meta), {"map": "desert"})
        only = self.api.discover(0.5, app="tanks", local=True, port=self.discovery_port)
        self.assertEqual([server.name for server in only], ["den"])

    def test_messages_go_both_ways_and_the_link_closes_cleanly(self) -> None:
        server = self.serve("Living Room")
        with self.connect("living-room") as link:
            self.assertEqual(link.send("h\u00e4llo"), "sent")
            link.send(b"\x00\xff")
            first, second = server.event("message"), server.event("message")
            self.assertEqual(first["text"], "h\u00e4llo")
            self.assertEqual(base64.b64decode(second["binary"]), b"\x00\xff")
            server.command("send", client=first["client"], text="\u4f60\u597d")
            server.command("send", client=first["client"], binary="AP8=")
            self.assertEqual((link.recv(TIMEOUT), link.recv(TIMEOUT)), ("\u4f60\u597d", b"\x00\xff"))
            with self.assertRaises(TimeoutError):
                link.recv(0.01)
            link.send("last")
        self.assertEqual(server.event("message")["text"], "last")
        self.assertEqual(server.event("client_left")["code"], 1000)
        self.assertEqual((link.state, link.error), ("closed", None))
        with self.assertRaises(halloo.Closed):
            link.send("late")
        self.assertEqual(list(link), [])

    def test_without_a_target_the_only_server_is_meant(self) -> None:
        server = self.serve("den")
        self.assertEqual(self.connect().url, server.url)

    def test_large_messages_in_both_directions(self) -> None:
        server = self.serve()
        link, text = self.connect(server.url), "x" * 1_000_000
        for _ in range(5):
            link.send(text)
        for _ in range(5):
            event = server.event("message")
            self.assertEqual(event["text"], text)
            server.command("send", client=event["client"], text=text)
        for _ in range(5):
            self.assertEqual(link.recv(TIMEOUT), text)

    def test_many_messages_that_waited_are_sent_at_once_and_in_order(self) -> None:
        port, texts = unused_port(socket.SOCK_STREAM), [f"{number:0100}" for number in range(10_000)]
        # Without pings, which would also end the wait of a client that waits for something else.
        patch = mock.patch.object(_connection, "HEARTBEAT", 3600.0)
        patch.start()
        self.addCleanup(patch.stop)
        link = self.connect(f"ws://127.0.0.1:{port}", timeout=0)
        self.assertEqual(set(self.send_all(link, texts)), {"queued"})
        server = self.serve("den", "--port", str(port), "--heartbeat", "1h")
        self.assertEqual([server.event("message")["text"] for _ in texts], texts)

    def test_an_application_that_does_not_read_loses_nothing(self) -> None:
        server = self.serve()
        link = self.connect(server.url, queue=(10, 1 << 20))
        client = server.event("client_joined")["client"]
        for number in range(500):
            server.command("send", client=client, text=str(number))
        time.sleep(0.2)
        self.assertEqual([link.recv(TIMEOUT) for _ in range(500)], [str(number) for number in range(500)])

    def test_a_name_that_no_server_has(self) -> None:
        self.serve("attic")
        with self.assertRaises(halloo.NotFound) as caught:
            self.connect("den", timeout=1, search_timeout=0.3)
        self.assertIn("no server named `den` was found; there is `attic`", str(caught.exception))

    def test_two_servers_with_one_name_are_listed(self) -> None:
        servers = [self.serve("den"), self.serve("Den")]
        with self.assertRaises(halloo.Ambiguous) as caught:
            self.connect("den", max_attempts=1)
        for server in servers:
            self.assertIn(server.url, str(caught.exception))

    def test_the_servers_of_a_cluster_share_the_clients(self) -> None:
        nodes = [self.serve("Show", "--cluster-name", "stage") for _ in range(2)]
        for _ in range(4):
            self.connect("show")
        # On a loaded machine, one server may be found too late to be chosen, but not each time.
        for node in nodes:
            self.assertEqual(node.event("client_joined")["client"], 1)
        nodes[0].kill()
        while nodes[1].event("client_joined")["client"] < 4:
            pass

    def test_servers_of_two_clusters_are_different_servers(self) -> None:
        servers = [self.serve("den", "--cluster-name", "stage"), self.serve("den", "--cluster-name", "rehearsal")]
        with self.assertRaises(halloo.Ambiguous) as caught:
            self.connect("den", max_attempts=1)
        for server in servers:
            self.assertIn(server.url, str(caught.exception))

    def test_a_token_is_proven_and_never_sent(self) -> None:
        server = self.serve("den", "--token", TOKEN, "--token-proof-only")
        for target in (server.ready["invitation"], "den"):
            with self.connect(target, token=None if "#" in target else TOKEN) as link:
                link.send("let in")
                self.assertEqual(server.event("message")["text"], "let in")
        for target in (server.url, "den"):
            with self.assertRaises(halloo.Refused) as caught:
                self.connect(target, token="a-wrong-token-of-mine")
            self.assertEqual(caught.exception.status, 401)
            with self.assertRaises(halloo.Refused):
                self.connect(target)

    def test_a_server_that_does_not_know_the_token_gets_nothing(self) -> None:
        server = self.serve()
        with self.assertRaises(halloo.WrongServer) as caught:
            self.connect(server.url, token=TOKEN)
        self.assertIn("did not ask for a token", str(caught.exception))

    def test_a_token_does_not_go_to_a_server_that_does_not_prove_it(self) -> None:
        from websockets.sync.server import serve

        seen = []
        with serve(lambda peer: None, "127.0.0.1", 0, process_request=lambda _, request: seen.append(request)) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            with self.assertRaises(halloo.WrongServer):
                self.connect(f"ws://127.0.0.1:{server.socket.getsockname()[1]}/path#token={TOKEN}")
            server.shutdown()
        self.assertEqual([request.path for request in seen], ["/path"])
        self.assertNotIn(TOKEN, str(seen[0].headers))

    def test_a_given_address_without_tls_ends_the_link(self) -> None:
        server = self.serve()
        with self.assertRaises(halloo.ConnectFailed) as caught:
            self.connect(server.url.replace("ws:", "wss:"))
        self.assertIn("check that the server uses TLS", str(caught.exception))

    def test_tls_with_a_pinned_certificate(self) -> None:
        server = self.serve("den", "--tls", "--token", TOKEN)
        for target, options in ((server.ready["invitation"], {}), ("den", {"fingerprint": server.ready["fingerprint"]})):
            with self.connect(target, **({"token": TOKEN, **options} if options else {})) as link:
                self.assertTrue(link.url.startswith("wss://"))
                link.send("x" * 300_000)
                self.assertEqual(len(server.event("message")["text"]), 300_000)
        with self.assertRaises(halloo.WrongServer) as caught:
            self.connect(server.url, fingerprint="ab" * 32, token=TOKEN)
        self.assertIn(server.ready["fingerprint"], str(caught.exception))

    def test_advice_about_a_certificate_that_is_not_trusted_works(self) -> None:
        server = self.serve("den", "--tls", "--token", TOKEN)
        for target in (server.url, "den"):
            with self.assertRaises(halloo.WrongServer) as caught:
                self.connect(target, token=TOKEN)
            problem = str(caught.exception)
            self.assertRegex(problem, r"not trusted: self.signed certificate; it is for .*`127\.0\.0\.1`")
            pinned, fragment = re.findall(r'fingerprint="(.*)", or append (#fp=\w+) to the address', problem)[0]
            self.assertEqual(pinned, server.ready["fingerprint"])
            with self.connect(target, token=TOKEN, fingerprint=pinned) as link:
                self.assertTrue(link.url.startswith("wss://"))
        with self.connect(server.url + fragment, token=TOKEN):
            pass

    def test_a_server_that_moved_is_found_again_and_gets_what_was_queued(self) -> None:
        server = self.serve("den")
        events: "queue.Queue[halloo.Event]" = queue.Queue()
        link = self.connect("den", on_event=events.put)
        server.event("client_joined")
        server.stop()
        while events.get(timeout=TIMEOUT).kind != "disconnected":
            pass
        self.assertEqual([link.send("one"), link.send("two")], ["queued", "queued"])
        moved = self.serve("den")
        self.assertNotEqual(moved.url, server.url)
        self.assertEqual([moved.event("message")["text"] for _ in range(2)], ["one", "two"])
        self.assertEqual(link.url, moved.url)

    def test_a_server_that_restarts_at_its_address_is_reached_again(self) -> None:
        port = str(unused_port(socket.SOCK_STREAM))
        server = self.serve("den", "--port", port)
        link = self.connect(server.url)
        server.kill()
        restarted = self.serve("den", "--port", port)
        restarted.event("client_joined")
        self.assertTrue(link.wait_connected(TIMEOUT))

    def test_a_server_that_broadcasts_do_not_reach_is_found_at_its_last_address(self) -> None:
        port = str(unused_port(socket.SOCK_STREAM))
        server = self.serve("den", "--port", port)
        link = self.connect("den")
        server.event("client_joined")
        server.kill()
        # With another id, so it is not the server that was found before.
        self.serve("den", "--port", port, "--no-discovery").event("client_joined")
        self.assertTrue(link.wait_connected(TIMEOUT))

    def test_another_server_at_the_old_address_is_left_alone(self) -> None:
        port = str(unused_port(socket.SOCK_STREAM))
        den = self.serve("den", "--port", port)
        link = self.connect("den")
        den.kill()
        attic = self.serve("attic", "--port", port)
        moved = self.serve("den")
        moved.event("client_joined")
        self.assertTrue(link.wait_connected(TIMEOUT))
        self.assertEqual(link.url, moved.url)
        attic.command("status")
        self.assertEqual(attic.event("status")["halloo"]["clients_total"], 0)

    def test_the_application_of_the_server_ends_a_link(self) -> None:
        server = self.serve()
        link = self.connect("den")
        server.command("disconnect", client=server.event("client_joined")["client"], code=4000, reason="enough")
        self.assertEqual(list(link), [])
        self.assertEqual((link.error.code, link.error.reason), (4000, "enough"))
        with self.assertRaises(halloo.Closed) as caught:
            link.recv()
        self.assertEqual(caught.exception.code, 4000)

    def test_a_message_that_is_too_large_names_the_limit(self) -> None:
        server = self.serve("den", "--max-message-bytes", "1000")
        link = self.connect(server.url)
        link.send("x" * 2000)
        self.assertEqual(list(link), [])
        self.assertEqual(link.error.code, 1009)
        self.assertIn("1000 bytes", str(link.error))

    def test_a_room_and_a_subprotocol(self) -> None:
        server = self.serve("den", "--subprotocol", "chess")
        link = self.connect("den", room="caf\u00e9", subprotocols=["go", "chess"])
        self.assertEqual(link.subprotocol, "chess")
        self.assertEqual(server.event("client_joined")["rooms"], ["caf\u00e9"])
        server.command("send_to_room", room="caf\u00e9", text="hi")
        self.assertEqual(link.recv(TIMEOUT), "hi")

    def test_a_link_ends_at_once_when_it_is_told(self) -> None:
        stop, set_stop = self.stop_event()
        link = self.connect("absent", timeout=0, stop=stop)
        self.assertEqual(link.send("kept"), "queued")
        threading.Timer(0.1, set_stop).start()
        started = time.monotonic()
        self.assertEqual(list(link), [])
        self.assertLess(time.monotonic() - started, 2)
        self.assertEqual((link.lost, link.error), (1, None))

    def test_a_server_that_compresses_is_used_without_compression(self) -> None:
        server = self.serve("den", "--compression")
        link = self.connect(server.url)
        link.send("x" * 10_000)
        self.assertEqual(server.event("message")["text"], "x" * 10_000)
        server.command("send_to_all", text="y" * 10_000)
        self.assertEqual(link.recv(TIMEOUT), "y" * 10_000)

    def test_a_message_above_the_own_limit_names_the_limit(self) -> None:
        server = self.serve()
        link = self.connect(server.url, max_message_bytes=1000)
        server.command("send_to_all", text="x" * 1001)
        self.assertEqual(list(link), [])
        self.assertEqual(link.error.code, 1009)
        self.assertIn("frame with 1001 bytes exceeds limit of 1000 bytes; allow more with `max_message_bytes`", str(link.error))
        self.assertEqual(server.event("client_left")["code"], 1009)

    def test_a_discovery_port_that_another_program_uses(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind(("", 0))
            self.discovery_port = other.getsockname()[1]
            name = f"den-{self.discovery_port}"
            server = self.serve(name)
            self.assertEqual(self.connect(name).url, server.url)

    def test_a_system_that_allows_no_udp(self) -> None:
        with mock.patch.object(socket.socket, "bind", side_effect=PermissionError("not permitted")):
            with self.assertRaises(halloo.ConnectFailed) as caught:
                self.connect("den", max_attempts=1)
        self.assertIn("check that this program may use the network", str(caught.exception))

    def test_a_plain_websocket_server_is_reached_by_its_address(self) -> None:
        from websockets.sync.server import ServerConnection, serve

        def echo(peer: ServerConnection) -> None:
            for message in peer:
                peer.send(message)

        with serve(echo, "127.0.0.1", 0) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            with self.connect(f"ws://127.0.0.1:{server.socket.getsockname()[1]}") as link:
                link.send("echo")
                self.assertEqual(link.recv(TIMEOUT), "echo")
            server.shutdown()

    def test_many_links_leave_nothing_behind(self) -> None:
        server = self.serve()
        self.connect(server.url).close()
        before = (threading.active_count(), descriptors())
        for _ in range(1000):
            with self.api.connect(server.url) as link:
                link.send("x")
        self.assertEqual(threading.active_count(), before[0])
        self.assertLessEqual(descriptors(), before[1])


if __name__ == "__main__":
    unittest.main()
