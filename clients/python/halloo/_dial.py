"""TCP and TLS to one of several addresses."""

import hashlib
import socket
import ssl
import threading
import time
from typing import Dict, List, Optional, Sequence, Tuple

from ._datagrams import Address, format_address
from ._endings import Ending
from ._errors import ConnectFailed, HallooError, WrongServer
from ._names import escape
from ._wait import Waiter

NEXT_ADDRESS_DELAY = 0.25
TIMEOUT = 5.0
_RESOLVE_TIMEOUT = 10.0


class Failed(Exception):
    """An attempt to connect failed."""

    def __init__(self, ending: Ending, error: HallooError, named_id: Optional[str] = None) -> None:
        super().__init__(str(error))
        self.ending, self.error, self.named_id = ending, error, named_id


def resolve(host: str, port: int, waiter: Waiter) -> List[Address]:
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
        waiter.wake()

    threading.Thread(target=run, name="halloo-resolve", daemon=True).start()
    deadline = time.monotonic() + _RESOLVE_TIMEOUT
    while not is_done.is_set() and time.monotonic() < deadline:
        waiter.wait((), (), deadline - time.monotonic())
    return list(dict.fromkeys(found))


def dial(addresses: Sequence[Address], waiter: Waiter) -> Tuple[socket.socket, Address, List[Address]]:
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
                    pending[_start(address)] = address
                except OSError as error:
                    reasons.append(f"{format_address(address)}: {error}")
                continue
            if now >= deadline:
                reasons += [f"{format_address(address)}: no answer" for address in pending.values()]
                break
            timeout = min(deadline, next_at if left else deadline) - now
            for one in waiter.wait((), list(pending), timeout)[1]:
                code = one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                address = pending.pop(one)
                if code == 0:
                    return one, address, left + list(pending.values())
                one.close()
                reasons.append(f"{format_address(address)}: {OSError(code, _message(code)).strerror}")
    finally:
        for one in pending:
            one.close()
    raise Failed(Ending("lost"), ConnectFailed("cannot connect to " + "; ".join(reasons or ["a server without an address"])))


def _message(code: int) -> str:
    import os

    return os.strerror(code)


def _start(address: Address) -> socket.socket:
    host, port = address
    info = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)[0]
    one = socket.socket(info[0], socket.SOCK_STREAM)
    try:
        one.setblocking(False)
        try:
            one.connect(info[4])
        except BlockingIOError:
            pass
        return one
    except OSError:
        one.close()
        raise


def secure(
    one: socket.socket, host: str, fingerprint: Optional[bytes], shown: str, deadline: float, waiter: Waiter
) -> ssl.SSLSocket:
    """Return the socket with TLS. Only the certificate with the fingerprint is accepted, if there is one."""
    context = ssl.create_default_context()
    if fingerprint is not None:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    wrapped = context.wrap_socket(one, server_hostname=host, do_handshake_on_connect=False)
    readers: Tuple[socket.socket, ...]
    writers: Tuple[socket.socket, ...]
    try:
        while True:
            try:
                wrapped.do_handshake()
                break
            except ssl.SSLWantReadError:
                readers, writers = (wrapped,), ()
            except ssl.SSLWantWriteError:
                readers, writers = (), (wrapped,)
            if time.monotonic() >= deadline:
                raise Failed(Ending("lost"), ConnectFailed(f"{shown} did not complete the TLS handshake in time"))
            waiter.wait(readers, writers, deadline - time.monotonic())
        _check_fingerprint(wrapped, fingerprint, shown)
        return wrapped
    except ssl.SSLError as error:
        wrapped.close()
        reason = escape(getattr(error, "verify_message", "") or error.reason or str(error))
        message = f"cannot connect to {shown}: {reason}; if this is the right server, pass the fingerprint that it shows"
        raise Failed(Ending("certificate not trusted"), WrongServer(message)) from None
    except OSError as error:
        wrapped.close()
        raise Failed(Ending("lost"), ConnectFailed(f"cannot connect to {shown}: {error}")) from None
    except BaseException:
        wrapped.close()
        raise


def _check_fingerprint(wrapped: ssl.SSLSocket, fingerprint: Optional[bytes], shown: str) -> None:
    if fingerprint is None:
        return
    certificate = wrapped.getpeercert(binary_form=True) or b""
    found = hashlib.sha256(_public_key(certificate)).digest()
    if fingerprint not in (found, hashlib.sha256(certificate).digest()):
        message = (
            f"the server at {shown} is not the right one: its fingerprint is {found.hex()} instead of {fingerprint.hex()};"
            " if it has a new key, use the fingerprint that it shows when it starts"
        )
        raise Failed(Ending("certificate not pinned"), WrongServer(message))


def _public_key(certificate: bytes) -> bytes:
    """Return ``SubjectPublicKeyInfo`` of a certificate (RFC 5280 section 4.1), which is the seventh field, or the sixth
    without a version."""
    try:
        start, _ = _content(certificate, 0)
        at, _ = _content(certificate, start)
        for _ in range(6 if certificate[at] == 0xA0 else 5):
            at = _content(certificate, at)[1]
        return certificate[at:_content(certificate, at)[1]]
    except IndexError:
        return b""


def _content(data: bytes, at: int) -> Tuple[int, int]:
    """Return where the content of an element of DER starts and ends."""
    length, start = data[at + 1], at + 2
    if length >= 0x80:
        count = length & 0x7F
        length, start = int.from_bytes(data[start:start + count], "big"), start + count
    return start, start + length
