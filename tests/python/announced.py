#!/usr/bin/env python3
"""A server that is found, written from the documented protocol alone: it echoes over WebSocket, and calls for clients.

Prints its WebSocket port. As the script of the contract does, it sends beacons of four keys while nobody is connected,
and nothing else. With --answers it is one of version 2: its beacons have more keys, it answers probes, also while
somebody is connected, answers `GET /discovery.json`, and says goodbye. Ends with its standard input.
"""

import argparse
import http
import json
import socket
import sys
import threading
import time

from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Response
from websockets.sync.server import serve

ID, NAME = "00112233aabbccdd", "foreign"
INTERVAL = 2.0  # seconds between beacons


class Server:
    def __init__(self, arguments):
        self.arguments = arguments
        self.clients = 0
        self.lock = threading.Lock()
        self.sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sender.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        self.sender.bind((arguments.address, 0))

    def talk(self, websocket):
        self.count(1)
        try:
            for message in websocket:
                websocket.send(message)
        except ConnectionClosed:
            pass
        self.count(-1)

    def count(self, more):
        with self.lock:
            self.clients += more

    def page(self, connection, request):
        if self.arguments.answers and request.path == "/discovery.json":
            body = json.dumps(self.reply(None)).encode()
            headers = Headers({"Content-Type": "application/json", "Content-Length": str(len(body))})
            return Response(http.HTTPStatus.OK, "OK", headers, body)
        return None

    def call(self, datagram):
        self.sender.sendto(json.dumps(datagram).encode(), (self.arguments.broadcast, self.arguments.discovery_port))

    def announce(self):
        while True:
            if self.clients == 0:
                beacon = {"service": "websocket_server", "ip": self.arguments.address, "port": self.port}
                beacon["timestamp"] = int(time.time())
                if self.arguments.answers:
                    beacon |= {"v": 2, "id": ID, "name": NAME, "ttl": 8}
                self.call(beacon)
            time.sleep(INTERVAL)

    def answer(self, receiver):
        while True:
            probe, sender = receiver.recvfrom(2048)
            try:
                asked = json.loads(probe)
            except ValueError:
                continue
            if isinstance(asked, dict) and asked.get("service") == "websocket_server_probe":
                reply = json.dumps(self.reply(asked["nonce"])).encode()
                if len(reply) <= len(probe):
                    receiver.sendto(reply, sender)

    def reply(self, nonce):
        reply = {"service": "websocket_server_reply", "v": 2, "nonce": nonce, "id": ID, "name": NAME}
        reply |= {"ip": self.arguments.address, "port": self.port, "addresses": [self.arguments.address]}
        reply |= {"clients": self.clients, "auth": False, "tls": False}
        return {key: value for key, value in reply.items() if value is not None}

    def run(self):
        with serve(self.talk, self.arguments.address, 0, process_request=self.page, max_size=None) as server:
            self.port = server.socket.getsockname()[1]
            work = [(server.serve_forever, ()), (self.announce, ())]
            if self.arguments.answers:
                receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                receiver.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if hasattr(socket, "SO_REUSEPORT"):
                    receiver.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
                receiver.bind(("", self.arguments.discovery_port))
                work.append((self.answer, (receiver,)))
            for what, how in work:
                threading.Thread(target=what, args=how, daemon=True).start()
            print(self.port, flush=True)
            sys.stdin.read()
            if self.arguments.answers:
                for _ in range(3):
                    self.call({"service": "websocket_server_bye", "v": 2, "id": ID})


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("discovery_port", type=int, nargs="?", default=8766, help="UDP port that beacons go to")
    parser.add_argument("--address", default="127.0.0.1", help="address to serve on")
    parser.add_argument("--broadcast", default="127.255.255.255", help="address that beacons go to")
    parser.add_argument("--answers", action="store_true", help="answers probes, and says goodbye")
    Server(parser.parse_args()).run()


if __name__ == "__main__":
    main()
