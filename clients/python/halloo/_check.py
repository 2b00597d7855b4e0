"""A check over TCP whether a server is there: ``GET /discovery.json``."""

import errno
import re
import socket
import time
from typing import Optional

from ._browser_core import CheckResult
from ._datagrams import Address, format_address
from ._dial import start_connecting

# Of the whole request: a server on the local network responds in milliseconds, and retransmitting a lost segment takes a
# second.
_TIMEOUT = 2.0
# A response has a few hundred bytes, and less than half of this with the largest properties.
_MAX_RESPONSE_BYTES = 16 * 1024
_STATUS = re.compile(rb"HTTP/1\.[01] ([1-5][0-9][0-9])[ \r]")


class Check:
    """A request in progress. The constructor raises ``OSError`` if that is the end of it; see ``failure``."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self.deadline = time.monotonic() + _TIMEOUT
        self.socket = start_connecting(address)
        self.is_connected = False
        self._response = bytearray()

    def advance(self) -> Optional[CheckResult]:
        """Make progress without blocking. Return the result when there is one."""
        try:
            return self._exchange()
        except BlockingIOError:
            pass
        except OSError as error:
            return CheckResult("unexpected") if self.is_connected else failure(error)
        if time.monotonic() < self.deadline:
            return None
        return CheckResult("unexpected" if self.is_connected else "no response")

    def close(self) -> None:
        """Close the socket."""
        self.socket.close()

    def _exchange(self) -> CheckResult:
        if not self.is_connected:
            self._handle_connected()
        while True:
            data = self.socket.recv(4096)
            self._response += data
            body = read_body(bytes(self._response), has_ended=not data)
            if body is not None:
                return CheckResult("body", body)
            if not data or len(self._response) > _MAX_RESPONSE_BYTES:
                return CheckResult("unexpected")

    def _handle_connected(self) -> None:
        code = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise OSError(code, "")
        try:
            self.socket.getpeername()
        except OSError as error:
            if error.errno == errno.ENOTCONN:
                raise BlockingIOError from None
            raise
        self.is_connected = True
        # The zone has a meaning on this machine only.
        host = format_address((self.address[0].partition("%")[0], self.address[1]))
        self.socket.sendall(f"GET /discovery.json HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())


def failure(error: OSError) -> CheckResult:
    """Return the result of a connection that failed."""
    return CheckResult("refused" if isinstance(error, ConnectionRefusedError) else "no response")


def read_body(response: bytes, has_ended: bool) -> Optional[bytes]:
    """Return the body of a response with status 200 if it is complete: as long as its ``Content-Length`` or, without one, once
    the connection has ended (RFC 9112 section 6.3). Interim responses before it are skipped."""
    while True:
        head, end, body = response.partition(b"\r\n\r\n")
        status = _STATUS.match(head)
        if not end or status is None:
            return None
        if status[1] == b"200":
            break
        if status[1] == b"101" or not status[1].startswith(b"1"):
            return None
        response = body
    headers = (line.partition(b":") for line in head.split(b"\r\n")[1:])
    lengths = [value.strip() for name, _, value in headers if name.strip().lower() == b"content-length"]
    if not lengths:
        return body if has_ended else None
    if not re.fullmatch(rb"[0-9]{1,8}", lengths[0]) or len(body) < int(lengths[0]):
        return None
    return body[: int(lengths[0])]
