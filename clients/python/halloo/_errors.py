"""What can go wrong. Each message says what to do."""

from typing import Optional


class HallooError(Exception):
    """The reason why there is no connection, or no server."""


class InvalidTarget(HallooError, ValueError):
    """The target, the token, the fingerprint or the room is invalid."""


class NotFound(HallooError):
    """No server with this name answered."""


class Ambiguous(HallooError):
    """Several servers have this name."""


class Refused(HallooError):
    """The server refused the handshake with an HTTP status."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class WrongServer(HallooError):
    """Another server is at the address, or the server does not know the token or has another certificate."""


class ConnectFailed(HallooError):
    """The server did not accept the connection."""


class Closed(HallooError):
    """The link is closed for good; ``code`` and ``reason`` are those of its last connection."""

    def __init__(self, message: str, code: Optional[int] = None, reason: str = "") -> None:
        super().__init__(message)
        self.code, self.reason = code, reason


class ProgramNotFound(HallooError):
    """The program ``halloo`` is not installed."""


class StartFailed(HallooError):
    """The program ``halloo`` did not start a server."""
