#!/usr/bin/env python3
"""A discoverable WebSocket echo server that implements only the documented protocol.

Prints its WebSocket port. By default it only sends beacons with the four keys of the contract, while no client is connected.
With --answers it implements version 2: its beacons have more keys, it replies to probes, also while clients are connected,
serves `GET /discovery.json`, and sends a goodbye. Ends when its standard input ends.
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

    def echo(self, websocket):
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

    def respond(self, connection, request):
        if self.arguments.answers and request.path == "/discovery.json":
            body = json.dumps(self.reply(None)).encode()
            headers = Headers({"Content-Type": "application/json", "Content-Length": str(len(body))})
            return Response(http.HTTPStatus.OK, "OK", headers, body)
        return None

    def broadcast(self, datagram):
        self.sender.sendto(json.dumps(datagram).encode(), (self.arguments.broadcast, self.arguments.discovery_port))

    def announce(self):
        while True:
            if self.clients == 0:
                beacon = {"service": "websocket_server", "ip": self.arguments.address, "port": self.port}
                beacon["timestamp"] = int(time.time())
                if self.arguments.answers:
                    beacon |= {"v": 2, "id": ID, "name": NAME, "ttl": 8}
                self.broadcast(beacon)
            time.sleep(INTERVAL)

    def answer_probes(self, receiver):
        while True:
            probe, sender = receiver.recvfrom(2048)
            try:
                message = json.loads(probe)
            except ValueError:
                continue
            if isinstance(message, dict) and message.get("service") == "websocket_server_probe":
                reply = json.dumps(self.reply(message["nonce"])).encode()
                if len(reply) <= len(probe):
                    receiver.sendto(reply, sender)

    def reply(self, nonce):
        reply = {"service": "websocket_server_reply", "v": 2, "nonce": nonce, "id": ID, "name": NAME}
        reply |= {"ip": self.arguments.address, "port": self.port, "addresses": [self.arguments.address]}
        reply |= {"clients": self.clients, "auth": False, "tls": False}
        return {key: value for key, value in reply.items() if value is not None}

    def run(self):
        with serve(self.echo, self.arguments.address, 0, process_request=self.respond, max_size=None) as server:
            self.port = server.socket.getsockname()[1]
            threads = [(server.serve_forever, ()), (self.announce, ())]
            if self.arguments.answers:
                receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                receiver.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if hasattr(socket, "SO_REUSEPORT"):
                    receiver.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
                receiver.bind(("", self.arguments.discovery_port))
                threads.append((self.answer_probes, (receiver,)))
            for target, args in threads:
                threading.Thread(target=target, args=args, daemon=True).start()
            print(self.port, flush=True)
            sys.stdin.read()
            if self.arguments.answers:
                for _ in range(3):
                    self.broadcast({"service": "websocket_server_bye", "v": 2, "id": ID})


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("discovery_port", type=int, nargs="?", default=8766, help="UDP port for beacons and probes")
    parser.add_argument("--address", default="127.0.0.1", help="address to serve on")
    parser.add_argument("--broadcast", default="127.255.255.255", help="address to send beacons to")
    parser.add_argument("--answers", action="store_true", help="implement version 2: reply to probes, send a goodbye")
    Server(parser.parse_args()).run()


if __name__ == "__main__":
    main()
