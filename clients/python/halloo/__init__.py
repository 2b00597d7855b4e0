"""Find and use halloo WebSocket servers on the local network.

>>> import halloo
>>> with halloo.connect("living-room") as link:  # doctest: +SKIP
...     link.send("hello")
...     for message in link:
...         print(message)
"""

from ._browser import Browser, BrowserEvent
from ._errors import (
    Ambiguous,
    Closed,
    ConnectFailed,
    HallooError,
    InvalidTarget,
    NotFound,
    ProgramNotFound,
    Refused,
    StartFailed,
    WrongServer,
)
from ._link import Event, Link, connect
from ._search import ServerInfo, discover, find
from ._server import Server
from ._server_events import (
    AddressesChanged,
    ClientJoined,
    ClientLeft,
    DiscoveryChanged,
    ErrorReported,
    MessageReceived,
    MessagesDropped,
    ServerEvent,
)

__all__ = [
    "AddressesChanged",
    "Ambiguous",
    "Browser",
    "BrowserEvent",
    "ClientJoined",
    "ClientLeft",
    "Closed",
    "ConnectFailed",
    "DiscoveryChanged",
    "ErrorReported",
    "Event",
    "HallooError",
    "InvalidTarget",
    "Link",
    "MessageReceived",
    "MessagesDropped",
    "NotFound",
    "ProgramNotFound",
    "Refused",
    "Server",
    "ServerEvent",
    "ServerInfo",
    "StartFailed",
    "WrongServer",
    "connect",
    "discover",
    "find",
]
__version__ = "0.1.0"
