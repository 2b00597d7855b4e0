"""Simulates many browsers, or sends random datagrams, from one machine.

Usage: flood.py browsers COUNT         prints how many found a server, when the last one did, and the replies in a second
       flood.py noise COUNT ADDRESS    sends random datagrams, and prints how many bytes came back
"""

import heapq
import json
import random
import selectors
import socket
import struct
import sys
import time

PORT = 8766
WAITS = [0.1, 0.2, 0.4, 0.4, *[0.7] * 6, 3.0, 3.0]  # seconds between probes, as the browser of halloo sends them
JITTER = 0.05  # share of the wait by which it varies
END = 11  # seconds
SO_TIMESTAMPNS = 35


def probe(nonce):
    head = f'{{"service":"websocket_server_probe","v":2,"nonce":"{nonce}","pad":"'
    return (head + "." * (512 - len(head) - 2) + '"}').encode()


def open_socket(address):
    """Returns a socket whose datagrams have the time at which the system received them."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    sock.setblocking(False)
    sock.bind(address)
    return sock


def received(sock):
    data, ancillary, _, _ = sock.recvmsg(2048, 64)
    seconds, nanoseconds = struct.unpack("ll", ancillary[0][2])
    return json.loads(data), seconds + nanoseconds / 1e9


def browsers(count):
    """Each browser has its own address, since a server replies to one address five times per second."""
    selector = selectors.DefaultSelector()
    sockets = [open_socket((f"10.1.{1 + number // 250}.{1 + number % 250}", 0)) for number in range(count)]
    for number, sock in enumerate(sockets):
        selector.register(sock, selectors.EVENT_READ, number)
    # One socket for all of them: a beacon that reaches one browser reaches all.
    selector.register(open_socket(("", PORT)), selectors.EVENT_READ, None)
    start = time.time()
    found, replies = {}, []
    due = [(0.0, number, 0) for number in range(count)]
    while (now := time.time() - start) < END and (len(found) < count or now < 3):
        # Browsers that have found a server go on, since there may be more.
        while due and due[0][0] <= now:
            moment, number, sent = heapq.heappop(due)
            sockets[number].sendto(probe(f"n{number}"), ("255.255.255.255", PORT))
            if sent < len(WAITS):
                wait = WAITS[sent] * random.uniform(1 - JITTER, 1 + JITTER)
                heapq.heappush(due, (moment + wait, number, sent + 1))
        for key, _ in selector.select(0.01):
            datagram, moment = received(key.fileobj)
            if key.data is None and datagram["service"] == "websocket_server":
                for number in range(count):
                    found.setdefault(number, moment - start)
            elif key.data is not None and datagram["nonce"] == f"n{key.data}":
                replies.append(moment - start)
                found.setdefault(key.data, moment - start)
    # Any second, not only whole ones of the clock; a little less, since a server sends some replies up to a turn later
    # than it counts them.
    busiest = max(sum(1 for other in replies if 0 <= other - reply < 0.98) for reply in replies)
    print(json.dumps({"found": len(found), "last": max(found.values()), "busiest": busiest}), flush=True)


def noise(count, address):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setblocking(False)
    start = b'{"service":"websocket_server_probe","v":2,"nonce":"'
    back = 0
    for number in range(count):
        junk = random.randbytes(random.randrange(0, 512))
        # Half of them begin like a probe.
        sock.sendto((start if number % 2 else b"") + junk, (address, PORT))
        if number % 50 == 0:
            time.sleep(0.001)  # so that the receive buffer of the server does not overflow
            try:
                back += len(sock.recv(2048))
            except BlockingIOError:
                pass
    time.sleep(1)
    try:
        back += len(sock.recv(2048))
    except BlockingIOError:
        pass
    print(json.dumps({"bytes": back}), flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "browsers":
        browsers(int(sys.argv[2]))
    else:
        noise(int(sys.argv[2]), sys.argv[3])
