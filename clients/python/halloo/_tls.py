"""TLS over a stream, and which certificate is accepted."""

import hashlib
import ssl
import time
from typing import Optional, Tuple

from ._endings import Ending, Failed
from ._errors import ConnectFailed, WrongServer
from ._names import escape
from ._stream import HIGH_WATER, Stream


class TlsStream:
    """A stream with TLS over another one. Only the certificate with the fingerprint is accepted, if there is one."""

    def __init__(self, inner: Stream, host: str, fingerprint: Optional[bytes]) -> None:
        if fingerprint is None:
            context = ssl.create_default_context()
        else:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self._inner, self._fingerprint = inner, fingerprint
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        self._has_ended = False

    @property
    def unsent(self) -> int:
        """How many bytes wait to be sent."""
        return self._inner.unsent

    async def handshake(self, shown: str, deadline: float) -> None:
        """Complete the TLS handshake, or raise ``Failed``."""
        try:
            while not self._is_complete():
                now = time.monotonic()
                if now >= deadline:
                    raise Failed(Ending("lost"), ConnectFailed(f"{shown} did not complete the TLS handshake in time"))
                self._inner.flush()
                if await self._inner.wait(True, deadline - now):
                    self._fill()
        except ssl.SSLCertVerificationError as error:
            raise _untrusted(shown, error.verify_message) from None
        except ssl.SSLError as error:
            raise _untrusted(shown, error.reason or str(error)) from None
        finally:
            # Also the alert that says why it failed.
            self._drain()
            self._inner.flush()
        _check_fingerprint(self._tls.getpeercert(binary_form=True) or b"", self._fingerprint, shown)

    def _is_complete(self) -> bool:
        try:
            self._tls.do_handshake()
            return True
        except ssl.SSLWantReadError:
            return False
        finally:
            self._drain()

    def write(self, data: bytes) -> None:
        """Append bytes to those that wait to be sent."""
        if data:
            self._tls.write(data)
            self._drain()

    def flush(self) -> None:
        """Send as much as the network takes at once."""
        self._inner.flush()

    def read(self) -> Optional[bytes]:
        """Return what has arrived."""
        self._fill()
        try:
            return self._tls.read(HIGH_WATER)
        except ssl.SSLWantReadError:
            return b"" if self._has_ended else None
        except ssl.SSLError:
            return b""

    async def wait(self, can_read: bool, timeout: float) -> bool:
        """Wait until there is something to read, or more can be sent."""
        if can_read and (self._tls.pending() or self._incoming.pending):
            timeout = 0.0
        return await self._inner.wait(can_read, timeout) or (can_read and bool(self._incoming.pending))

    def close(self) -> None:
        """Close the stream below."""
        self._inner.close()

    def _fill(self) -> None:
        data = self._inner.read()
        if data:
            self._incoming.write(data)
        elif data is not None:
            self._has_ended = True
            self._incoming.write_eof()

    def _drain(self) -> None:
        self._inner.write(self._outgoing.read())


def _untrusted(shown: str, reason: str) -> Failed:
    message = f"cannot connect to {shown}: {escape(reason)}; if this is the right server, pass the fingerprint that it shows"
    return Failed(Ending("certificate not trusted"), WrongServer(message))


def _check_fingerprint(certificate: bytes, fingerprint: Optional[bytes], shown: str) -> None:
    if fingerprint is None:
        return
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
        return certificate[at : _content(certificate, at)[1]]
    except IndexError:
        return b""


def _content(data: bytes, at: int) -> Tuple[int, int]:
    """Return where the content of an element of DER starts and ends."""
    length, start = data[at + 1], at + 2
    if length >= 0x80:
        count = length & 0x7F
        length, start = int.from_bytes(data[start : start + count], "big"), start + count
    return start, start + length
