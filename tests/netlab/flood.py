"""Many browsers, or much noise, from one machine.

Usage: flood.py browsers COUNT SERVER_PORT    prints when each was answered, and how many replies came in one second
       flood.py noise COUNT ADDRESS           sends random datagrams, and prints how many came back
"""

import json
import random
import selectors
import socket
import sys
import time

PORT = 8766
PROBES = [0, 0.1, 0.4, 1.0, 1.7, 2.4, 3.1, 3.8, 4.5, 5.2]  # seconds, as the browser of halloo asks
END = 8


def probe(nonce):
    head = f'{{"service":"websocket_server_probe","v":2,"nonce":"{nonce}","pad":"'
    return (head + "." * (512 - len(head) - 2) + '"}').encode()


def browsers(count):
    """Each has an address of its own, for a server answers one address five times a second."""
    selector = selectors.DefaultSelector()
    sockets = []
    for number in range(count):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        sock.setblocking(False)
        sock.bind((f"10.1.{1 + number // 250}.{1 + number % 250}", 0))
        selector.register(sock, selectors.EVENT_READ, number)
        sockets.append(sock)
    start = time.monotonic()
    found, replies, due = {}, [], list(PROBES)
    while (now := time.monotonic() - start) < END:
        if due and now >= due[0]:
            due.pop(0)
            for number, sock in enumerate(sockets):
                if number not in found:
                    sock.sendto(probe(f"n{number}"), ("255.255.255.255", PORT))
        for key, _ in selector.select(0.01):
            reply = json.loads(key.fileobj.recv(2048))
            if reply["service"] == "websocket_server_reply" and reply["nonce"] == f"n{key.data}":
                replies.append(time.monotonic() - start)
                found.setdefault(key.data, replies[-1])
    # Any second, not only those that begin with the clock's.
    busiest = max(sum(1 for other in replies if 0 <= other - reply < 1) for reply in replies)
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
