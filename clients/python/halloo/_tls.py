"""TLS over a stream, and which certificate is accepted."""

import ssl
import time
from typing import Optional

from ._certificate import fingerprints, names
from ._endings import Ending, Failed
from ._errors import ConnectFailed, WrongServer
from ._names import escape
from ._stream import HIGH_WATER, Stream

_MAX_NAME = 64


class NotTrusted(Exception):
    """The system does not trust the certificate of the server. The text says why."""


class TlsStream:
    """A stream with TLS over another one. Only the certificate with the fingerprint is accepted, if there is one. With
    ``accepts_any``, every certificate is, so that it can be shown: send nothing then."""

    def __init__(self, inner: Stream, host: str, fingerprint: Optional[bytes], accepts_any: bool = False) -> None:
        if fingerprint is None and not accepts_any:
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
        """Complete the TLS handshake, or raise ``NotTrusted`` or ``Failed``."""
        try:
            while not self._is_complete():
                now = time.monotonic()
                if now >= deadline:
                    raise Failed(Ending("lost"), ConnectFailed(f"{shown} did not complete the TLS handshake in time"))
                self._inner.flush()
                if await self._inner.wait(True, deadline - now):
                    self._fill()
        except ssl.SSLCertVerificationError as error:
            raise NotTrusted(error.verify_message) from None
        except ssl.SSLError as error:
            raise _no_tls(shown, error) from None
        finally:
            # Also the alert that says why it failed.
            self._drain()
            self._inner.flush()
        if self._fingerprint is not None:
            _check_fingerprint(self.certificate, self._fingerprint, shown)

    @property
    def certificate(self) -> bytes:
        """That of the server after the handshake."""
        return self._tls.getpeercert(binary_form=True) or b""

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


def not_trusted(shown: str, reason: str, certificate: Optional[bytes]) -> Failed:
    """Return the failure of a server whose certificate is not trusted, with what the server shows if that is known."""
    message = f"the certificate of {shown} is not trusted: {escape(reason)}"
    if certificate:
        fingerprint = fingerprints(certificate)[0].hex()
        its_names = ", ".join(f"`{escape(name, _MAX_NAME)}`" for name in names(certificate)) or "no name"
        message += (
            f"; it is for {its_names}, with the fingerprint {fingerprint}; if the server shows this fingerprint when it"
            f' starts, pass fingerprint="{fingerprint}", or append #fp={fingerprint} to the address'
        )
    else:
        message += "; if this is the right server, pass the fingerprint that it shows when it starts"
    return Failed(Ending("certificate not trusted"), WrongServer(message))


def _no_tls(shown: str, error: ssl.SSLError) -> Failed:
    message = f"cannot connect to {shown}: {escape(error.reason or str(error))}; check that the server uses TLS"
    return Failed(Ending("no WebSocket"), ConnectFailed(message))


def _check_fingerprint(certificate: bytes, fingerprint: bytes, shown: str) -> None:
    found = fingerprints(certificate)
    if fingerprint not in found:
        message = (
            f"the server at {shown} is not the right one: its fingerprint is {found[0].hex()} instead of {fingerprint.hex()};"
            " if it has a new key, use the fingerprint that it shows when it starts"
        )
        raise Failed(Ending("certificate not pinned"), WrongServer(message))
