"""Find and use halloo WebSocket servers on the local network.

>>> import halloo
>>> with halloo.connect("living-room") as link:  # doctest: +SKIP
...     link.send("hello")
...     for message in link:
...         print(message)
"""

from ._errors import Ambiguous, Closed, ConnectFailed, HallooError, InvalidTarget, NotFound, Refused, WrongServer
from ._link import Event, Link, connect
from ._search import ServerInfo, discover, find

__all__ = [
    "Ambiguous", "Closed", "ConnectFailed", "Event", "HallooError", "InvalidTarget", "Link", "NotFound", "Refused",
    "ServerInfo", "WrongServer", "connect", "discover", "find",
]
__version__ = "0.1.0"
