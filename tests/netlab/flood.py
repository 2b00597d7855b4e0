"""Many browsers, or much noise, from one machine.

Usage: flood.py browsers COUNT         prints how many found a server, when the last did, and the replies of one second
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
WAITS = [0.1, 0.3, 0.6, *[0.7] * 6, 3.0, 3.0]  # seconds between probes, as the browser of halloo asks
JITTER = 0.05  # give or take
END = 11
SO_TIMESTAMPNS = 35


def probe(nonce):
    head = f'{{"service":"websocket_server_probe","v":2,"nonce":"{nonce}","pad":"'
    return (head + "." * (512 - len(head) - 2) + '"}').encode()


def opened(address):
    """A socket whose datagrams come with the moment at which the system had them."""
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
    """Each has an address of its own, for a server answers one address five times a second."""
    selector = selectors.DefaultSelector()
    sockets = [opened((f"10.1.{1 + number // 250}.{1 + number % 250}", 0)) for number in range(count)]
    for number, sock in enumerate(sockets):
        selector.register(sock, selectors.EVENT_READ, number)
    # One for all of them: a beacon that reaches one reaches all.
    selector.register(opened(("", PORT)), selectors.EVENT_READ, None)
    start = time.time()
    found, replies = {}, []
    due = [(0.0, number, 0) for number in range(count)]
    while (now := time.time() - start) < END and (len(found) < count or now < 3):
        # Also those that found one go on asking, for there may be others.
        while due and due[0][0] <= now:
            moment, number, sent = heapq.heappop(due)
            sockets[number].sendto(probe(f"n{number}"), ("255.255.255.255", PORT))
            if sent < len(WAITS):
                wait = WAITS[sent] * random.uniform(1 - JITTER, 1 + JITTER)
                heapq.heappush(due, (moment + wait, number, sent + 1))
        for key, _ in selector.select(0.01):
            told, moment = received(key.fileobj)
            if key.data is None and told["service"] == "websocket_server":
                for number in range(count):
                    found.setdefault(number, moment - start)
            elif key.data is not None and told["nonce"] == f"n{key.data}":
                replies.append(moment - start)
                found.setdefault(key.data, moment - start)
    # Any second, not only those that begin with the clock's; a little less, for a server sends some replies up to
    # a turn after the moment that it counts them at.
    busiest = max(sum(1 for other in replies if 0 <= other - reply < 0.98) for reply in replies)
    print(json.dumps({"found": len(found), "last": max(found.values()), "busiest": busiest}), flush=True)


def noise(count, address):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setblocking(False)
    start = b'{"service":"websocket_server_probe","v":2,"nonce":"'
    back = 0
    for number in range(count):
        junk = random.randbytes(random.randrange(0, 512))
        # Half of them begin as a probe would.
        sock.sendto((start if number % 2 else b"") + junk, (address, PORT))
        if number % 50 == 0:
            time.sleep(0.001)  # so that the server reads them, rather than its socket losing them
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
