"""The options of a link, and its events."""

import os
from dataclasses import dataclass
from typing import Callable, NamedTuple, Optional, Sequence, Tuple, Union

from ._search import ServerInfo
from ._target import Target, check_token, read_fingerprint, read_target, room_path

MAX_MESSAGES, MAX_BYTES, MAX_MESSAGE_BYTES = 16_384, 16 * 1024 * 1024, 1024 * 1024


class Event(NamedTuple):
    """What happened to a link: ``connected`` (with the address), ``disconnected`` (with code and reason), ``failed`` (an
    attempt, with the reason), or ``closed`` for good (with the reason). ``pause`` is the time to the next attempt."""

    kind: str
    reason: str = ""
    url: str = ""
    code: Optional[int] = None
    pause: Optional[float] = None


@dataclass(frozen=True)
class Options:
    """What ``connect`` was given."""

    target: Target
    server: Optional[ServerInfo]
    token: Optional[str]
    fingerprint: Optional[bytes]
    room: Optional[str]
    subprotocols: Tuple[str, ...]
    app: Optional[str]
    search_timeout: float
    max_attempts: Optional[int]
    max_elapsed: Optional[float]
    queue: Tuple[int, int]
    max_message_bytes: int
    on_event: Optional[Callable[[Event], None]]
    local: bool
    discovery_port: int

    @property
    def reconnect(self) -> bool:
        """Whether there may be a second attempt."""
        return self.max_attempts is None or self.max_attempts > 1


def read_options(
    target: Union[str, ServerInfo, None],
    *,
    token: Optional[str],
    fingerprint: Optional[str],
    room: Optional[str],
    subprotocols: Sequence[str],
    app: Optional[str],
    search_timeout: float,
    reconnect: bool,
    max_attempts: Optional[int],
    max_elapsed: Optional[float],
    queue: Tuple[int, int],
    max_message_bytes: int,
    on_event: Optional[Callable[[Event], None]],
    local: bool,
    discovery_port: int,
) -> Options:
    """Return what the arguments of ``connect`` mean. Raises ``InvalidTarget``."""
    server = target if isinstance(target, ServerInfo) else None
    meant = Target(None, None) if target is None or isinstance(target, ServerInfo) else read_target(target)
    given = token or (meant.url.token if meant.url else None) or os.environ.get("HALLOO_TOKEN")
    pinned = meant.url.fingerprint if meant.url else None
    if room is not None:
        room_path(room)
    return Options(
        target=meant,
        server=server,
        token=check_token(given) if given else None,
        fingerprint=read_fingerprint(fingerprint) if fingerprint else pinned,
        room=room,
        subprotocols=tuple(subprotocols),
        app=app,
        search_timeout=search_timeout,
        max_attempts=max_attempts if reconnect else 1,
        max_elapsed=max_elapsed,
        queue=queue,
        max_message_bytes=max_message_bytes,
        on_event=on_event,
        local=local,
        discovery_port=discovery_port,
    )
