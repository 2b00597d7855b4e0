"""TCP to one of several addresses."""

import os
import socket
import threading
import time
from typing import Dict, List, Sequence, Tuple

from ._datagrams import Address, format_address
from ._drive import Wait
from ._endings import Ending, Failed
from ._errors import ConnectFailed

NEXT_ADDRESS_DELAY = 0.25
TIMEOUT = 5.0
_RESOLVE_TIMEOUT = 10.0


async def resolve(host: str, port: int, wait: Wait) -> List[Address]:
    """Return the addresses of a host. The resolver of the system cannot be cancelled, so a thread waits for it."""
    found: List[Address] = []
    is_done = threading.Event()

    def run() -> None:
        try:
            for *_, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
                found.append((str(address[0]), int(address[1])))
        except OSError:
            pass
        is_done.set()
        wait.wake()

    threading.Thread(target=run, name="halloo-resolve", daemon=True).start()
    deadline = time.monotonic() + _RESOLVE_TIMEOUT
    while not is_done.is_set() and time.monotonic() < deadline:
        await wait.wait((), (), deadline - time.monotonic())
    return list(dict.fromkeys(found))


async def dial(addresses: Sequence[Address], wait: Wait) -> Tuple[socket.socket, Address, List[Address]]:
    """Return a connected socket, its address, and the addresses that are left (RFC 8305 section 5)."""
    left = list(addresses)
    reasons: List[str] = []
    pending: Dict[socket.socket, Address] = {}
    deadline = time.monotonic() + TIMEOUT
    next_at = 0.0
    try:
        while left or pending:
            now = time.monotonic()
            if left and (now >= next_at or not pending):
                address = left.pop(0)
                next_at = now + NEXT_ADDRESS_DELAY
                try:
                    pending[start_connecting(address)] = address
                except OSError as error:
                    reasons.append(f"{format_address(address)}: {error}")
                continue
            if now >= deadline:
                reasons += [f"{format_address(address)}: no answer" for address in pending.values()]
                break
            timeout = min(deadline, next_at if left else deadline) - now
            _, connected = await wait.wait((), list(pending), timeout)
            for one in connected:
                code = one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                address = pending.pop(one)
                if code == 0:
                    return one, address, left + list(pending.values())
                one.close()
                reasons.append(f"{format_address(address)}: {os.strerror(code)}")
    finally:
        for one in pending:
            one.close()
    raise Failed(Ending("lost"), ConnectFailed("cannot connect to " + "; ".join(reasons or ["a server without an address"])))


def start_connecting(address: Address) -> socket.socket:
    """Return a socket that connects without blocking."""
    host, port = address
    info = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)[0]
    one = socket.socket(info[0], socket.SOCK_STREAM)
    try:
        one.setblocking(False)
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            one.connect(info[4])
        except BlockingIOError:
            pass
        return one
    except OSError:
        one.close()
        raise
