"""The events of a server, as ``halloo serve --json`` writes them."""

import base64
from dataclasses import dataclass, fields
from typing import Any, Dict, Mapping, Optional, Tuple, Type, Union


@dataclass(frozen=True)
class ClientJoined:
    """A client has completed its handshake. ``clients`` is the number of connected clients."""

    client: int
    addr: str
    clients: int
    #: The path and the query that it connected to, without ``token=``.
    path: str
    #: The subprotocols that it offered, and the chosen one.
    subprotocols: Tuple[str, ...] = ()
    subprotocol: Optional[str] = None
    #: The origin of the page; programs have none.
    origin: Optional[str] = None
    user_agent: Optional[str] = None
    #: The room that its path joins.
    rooms: Tuple[str, ...] = ()
    #: Whether one of the texts above was too long and was cut.
    cut: bool = False


@dataclass(frozen=True)
class MessageReceived:
    """A message has arrived: ``str`` for text, ``bytes`` for binary."""

    client: int
    message: Union[str, bytes]


@dataclass(frozen=True)
class ClientLeft:
    """A client has left, with a close code: its own, that of the server, or 1006 if there was none."""

    client: int
    code: int
    reason: str
    clients: int
    rooms: Tuple[str, ...] = ()


@dataclass(frozen=True)
class MessagesDropped:
    """Messages to a slow client were dropped."""

    client: int
    messages: int


@dataclass(frozen=True)
class DiscoveryChanged:
    """The server has started or stopped announcing itself."""

    active: bool


@dataclass(frozen=True)
class AddressesChanged:
    """The addresses of the machine have changed, best first."""

    addresses: Tuple[str, ...]


@dataclass(frozen=True)
class ErrorReported:
    """A command failed, or the server failed."""

    message: str


ServerEvent = Union[
    ClientJoined, MessageReceived, ClientLeft, MessagesDropped, DiscoveryChanged, AddressesChanged, ErrorReported
]


def read_event(kind: str, keys: Mapping[str, Any]) -> Optional[ServerEvent]:
    """Return an event, or ``None`` if it is of another kind: later versions may add some, and keys as well."""
    if kind == "message":
        text = keys.get("text")
        return MessageReceived(keys["client"], base64.b64decode(keys["binary"]) if text is None else text)
    known = _KINDS.get(kind)
    if known is None:
        return None
    names = {field.name for field in fields(known)}
    event: ServerEvent = known(
        **{name: tuple(value) if isinstance(value, list) else value for name, value in keys.items() if name in names}
    )
    return event


_KINDS: Dict[str, Type[Any]] = {
    "client_joined": ClientJoined,
    "client_left": ClientLeft,
    "dropped": MessagesDropped,
    "discovery": DiscoveryChanged,
    "addresses_changed": AddressesChanged,
    "error": ErrorReported,
}
