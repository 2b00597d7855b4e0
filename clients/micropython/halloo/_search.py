"""The search for servers on the local network."""

import binascii
import errno
import json
import os
import select
import socket
import time

from ._clock import chance, now
from ._text import clean, is_same_app, is_utf8

MAX_DATAGRAM, MAX_BODY, MAX_SERVERS, MAX_READS = 2048, 4096, 64, 16


def probe(nonce):
    """Return a datagram that asks all servers to reply."""
    head = f'{{"service":"websocket_server_probe","v":2,"nonce":"{nonce}","pad":"'
    return (head + "." * (1022 - len(head)) + '"}').encode()


def next_probe(number, chance):
    """Return the milliseconds from one probe to the next, and whether this one goes to all ports."""
    delay = (100, 200, 400, 400)[number] if number < 4 else 700 if number < 10 else 3000
    return delay * (0.95 + 0.1 * chance), number % 5 == 0


def _number(value):
    return value if type(value) in (int, float) else 0


class Server:
    """What a beacon or a reply says about a server. `address` is the one that it came from."""

    def __init__(self, seen, ip):
        text = lambda name: seen[name] if isinstance(seen.get(name), str) else ""
        self.is_reply = seen["service"] == "websocket_server_reply"
        port = seen["port"] if seen.get("ip") == ip else _number(seen.get("listen_port")) or seen["port"]
        self.address = (ip, int(port))
        self.url = "ws://%s:%d" % self.address
        self.id = "".join(c for c in text("id") if "!" <= c <= "~")[:32] or "%s:%d" % self.address
        self.name, self.app, self.challenge = clean(text("name")), clean(text("app")).strip() or None, text("challenge")
        self.cluster = self.is_reply and clean(text("cluster")).strip() or None
        clients = seen.get("clients")
        self.clients = None if clients is None or type(clients) not in (int, float) else min(max(int(clients), 0), 0xFFFFFFFF)
        self.auth, self.tls = (self.is_reply and seen.get(name) is True for name in ("auth", "tls"))


def read(datagram, ip, nonce, limit=MAX_DATAGRAM):
    """Return the server that a datagram is about, or None. `nonce` is that of the own probes."""
    try:
        seen = json.loads(str(datagram, "utf-8")) if len(datagram) <= limit else None
        # Half of a surrogate pair is no character, and 1e999 no number.
        if not isinstance(seen, dict) or not is_utf8(json.dumps(seen).encode()) or float("inf") in seen.values():
            return None
    except (ValueError, RuntimeError):
        return None
    port = _number(seen.get("port"))
    is_ours = seen.get("service") == "websocket_server_reply" and seen.get("nonce") == nonce
    is_server = is_ours or seen.get("service") == "websocket_server"
    return Server(seen, ip) if is_server and 1 <= port <= 65535 and port == int(port) else None


class Search:
    """One search, which its owner polls and closes. The server that was at the address `last` is also asked over TCP: broadcasts
    may not get there."""

    def __init__(self, app, local, port, last=None):
        self.servers, self._app, self._local, self._port = [], app, local, port
        self._asking = self._ask(last) if last else iter(())
        self._nonce = binascii.hexlify(os.urandom(8)).decode()
        self._number, self._due = 0, now()
        # One for probes and their replies, and one for beacons; perhaps one to ask over TCP.
        self.sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
        for one in self.sockets:
            one.setblocking(False)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        self.sockets[1].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self.sockets[1].bind(socket.getaddrinfo("0.0.0.0", port)[0][-1])
        except OSError:
            # Another program has the port, and only old servers need it.
            pass

    def poll(self):
        """Send a probe if it is time, and read some datagrams."""
        if now() >= self._due:
            delay, is_wide = next_probe(self._number, chance())
            self._number, self._due = self._number + 1, now() + delay
            for target in ("127.255.255.255", "255.255.255.255")[:1 if self._local else 2]:
                for port in range(self._port, self._port + (10 if is_wide else 1)):
                    self._send(target, port)
        next(self._asking, None)
        for one in self.sockets[:2]:
            for _ in range(MAX_READS):
                try:
                    datagram, source = one.recvfrom(MAX_DATAGRAM + 1)
                except OSError:
                    break
                # The Unix port returns the bytes of an address.
                ip = source[0] if isinstance(source, tuple) else ".".join(str(b) for b in socket.sockaddr(source)[1])
                self._add(read(datagram, ip, self._nonce) if not self._local or ip.startswith("127.") else None)

    def _ask(self, address):
        """Ask the server at an address what it says about itself. Each `yield` returns until the next poll."""
        one, poller, received, data = socket.socket(), select.poll(), b"", None
        one.setblocking(False)
        self.sockets.append(one)
        try:
            try:
                one.connect(socket.getaddrinfo(*address)[0][-1])
            except OSError as error:
                if error.errno != errno.EINPROGRESS:
                    raise
            poller.register(one, select.POLLOUT)
            while not poller.poll(0):
                yield
            one.send(b"GET /discovery.json HTTP/1.1\r\nHost: %s:%d\r\nConnection: close\r\n\r\n" % address)
            poller.modify(one, select.POLLIN)
            while data != b"" and len(received) <= MAX_BODY:
                yield
                data = one.recv(512) if poller.poll(0) else None
                received += data or b""
            if received.startswith(b"HTTP/1.1 200 "):
                body = received[received.find(b"\r\n\r\n") + 4 :]
                self._add(read(body, address[0], None, MAX_BODY))
        except OSError:
            # It is not there any more.
            pass

    def _send(self, target, port):
        try:
            self.sockets[0].sendto(probe(self._nonce), socket.getaddrinfo(target, port)[0][-1])
        except OSError:
            # There is no network, or it has no broadcasts.
            pass

    def _add(self, server):
        """Keep the first address of an id, and a reply rather than a beacon, which says less."""
        if not server or not (self._app is None or is_same_app(server.app or "", self._app)):
            return
        for number, known in enumerate(self.servers):
            if known.id == server.id:
                if server.is_reply and not known.is_reply and server.address == known.address:
                    self.servers[number] = server
                return
        if len(self.servers) < MAX_SERVERS:
            self.servers.append(server)

    def close(self):
        for one in self.sockets:
            one.close()


def discover(timeout=3, app=None, local=False, port=8766):
    """Return the servers that are found within `timeout` seconds.

    `app` leaves out servers with another application id, `local` those on other machines. `port` is the UDP port of discovery."""
    search, end = Search(app, local, port), now() + timeout * 1000
    try:
        while now() < end:
            search.poll()
            time.sleep_ms(10)
    finally:
        search.close()
    return search.servers
