"""A server that was found."""

from dataclasses import dataclass, field
from typing import Mapping, Optional, Tuple


@dataclass(frozen=True)
class ServerInfo:
    """A server that was found. Everything but the addresses in ``sources`` is what the server says about itself."""

    #: Random for each start of the server; its address if it sends none.
    id: str
    #: At most 64 characters, without characters that could deceive; empty if it has none.
    name: str
    #: The address to connect to.
    url: str
    #: All addresses to try, best first.
    addresses: Tuple[str, ...]
    #: The number of connected clients, if it is known.
    clients: Optional[int]
    #: Whether a token is required.
    auth: bool
    #: Whether TLS is required.
    tls: bool
    #: The application id, if there is one.
    app: Optional[str]
    #: The properties.
    meta: Mapping[str, str]
    #: The addresses that it was heard from.
    sources: Tuple[str, ...]
    #: The cluster that it belongs to, if it belongs to one.
    cluster: Optional[str] = None
    challenge: Optional[str] = field(default=None, repr=False, compare=False)

    @property
    def has_id(self) -> bool:
        """Whether the server sends an id."""
        return self.id not in self.addresses
