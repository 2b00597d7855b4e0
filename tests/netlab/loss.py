"""Forwards frames between two interfaces and drops a share of them in each direction.

Usage: loss.py ONE OTHER PERCENT_THERE PERCENT_BACK
"""

import random
import select
import socket
import sys

ETH_P_ALL = 3
SOL_PACKET, PACKET_VNET_HDR, PACKET_IGNORE_OUTGOING = 263, 15, 23
VNET_HDR = 10  # bytes before the frame, for checksums that are not computed yet


def raw(interface):
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    sock.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    sock.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    sock.bind((interface, ETH_P_ALL))
    return sock


def main():
    one, other = raw(sys.argv[1]), raw(sys.argv[2])
    loss = {one: int(sys.argv[3]), other: int(sys.argv[4])}
    towards = {one: other, other: one}
    print("ready", flush=True)
    while True:
        for source in select.select([one, other], [], [])[0]:
            frame = source.recv(VNET_HDR + 65550)
            # Without ARP, the machines could not talk at all.
            is_arp = frame[VNET_HDR + 12 : VNET_HDR + 14] == b"\x08\x06"
            if is_arp or random.randrange(100) >= loss[source]:
                towards[source].send(frame)


if __name__ == "__main__":
    main()
