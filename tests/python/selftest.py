#!/usr/bin/env python3
"""Tests listener.py and peer.py without halloo, so that a failure with halloo is not a mistake in them."""

import json
import socket
import subprocess
import sys
import threading
import unittest
from pathlib import Path

from websockets.sync.server import serve

from listener import is_beacon, listen, open_socket

BEACON = {"service": "websocket_server", "ip": "192.168.1.5", "port": 8765, "timestamp": 1726521140}
PEER = Path(__file__).with_name("peer.py")


def run_peer(handler):
    with serve(handler, "127.0.0.1", 0) as server:
        threading.Thread(target=server.serve_forever).start()
        url = f"ws://127.0.0.1:{server.socket.getsockname()[1]}"
        result = subprocess.run([sys.executable, PEER, url], capture_output=True, text=True, timeout=60)
        server.shutdown()
    return result


class Listener(unittest.TestCase):
    def test_beacons_have_the_four_keys_first(self):
        self.assertTrue(is_beacon(BEACON))
        self.assertTrue(is_beacon(BEACON | {"v": 2, "name": "desk"}))

    def test_other_messages_are_not_beacons(self):
        for wrong in [{"service": "other"}, {"port": "8765"}, {"port": True}, {"timestamp": 1.5}, {"ip": None}]:
            self.assertFalse(is_beacon(BEACON | wrong), wrong)
        self.assertFalse(is_beacon(dict(reversed(BEACON.items()))))
        self.assertFalse(is_beacon([]))

    def test_finds_the_beacon_of_a_server_port_among_others(self):
        with open_socket(0) as sock, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for datagram in [b"noise", b"\xff", json.dumps(BEACON | {"port": 1}).encode(), json.dumps(BEACON).encode()]:
                sender.sendto(datagram, ("127.0.0.1", sock.getsockname()[1]))
            self.assertEqual(listen(sock, 5, server_port=8765), BEACON)
            self.assertIsNone(listen(sock, 0.05))


class Peer(unittest.TestCase):
    def test_an_echo_passes(self):
        def echo(websocket):
            for message in websocket:
                websocket.send(message)

        result = run_peer(echo)
        self.assertEqual((result.returncode, result.stdout), (0, "OK\n"), result.stderr)

    def test_a_wrong_reply_fails(self):
        def reply_wrongly(websocket):
            for _ in websocket:
                websocket.send("something else")

        result = run_peer(reply_wrongly)
        self.assertEqual(result.returncode, 1)
        self.assertIn("sent 'hello from python'", result.stderr)

    def test_a_refused_connection_fails(self):
        result = subprocess.run([sys.executable, PEER, "ws://127.0.0.1:9"], capture_output=True, text=True, timeout=60)
        self.assertEqual(result.returncode, 1)
        self.assertNotIn("Traceback", result.stderr)


if __name__ == "__main__":
    unittest.main()
