"""How client and server prove to each other that they know the token."""

import base64
import hashlib
import hmac
import re
from typing import List, NamedTuple, Optional, Tuple


class Exchange(NamedTuple):
    """One exchange of proofs, as the client begins it."""

    token: str
    id: str
    challenge: str
    nonce: str

    @property
    def authorization(self) -> str:
        """The value of ``Authorization``."""
        return f'Halloo challenge="{self.challenge}", nonce="{self.nonce}", proof="{self.proof("client")}"'

    def proof(self, side: str) -> str:
        """Return the proof of one side."""
        text = f"halloo {side}\n{self.id}\n{self.challenge}\n{self.nonce}"
        return encode(hmac.new(self.token.encode(), text.encode(), hashlib.sha256).digest())

    def is_server_proof(self, given: str) -> bool:
        """Return whether this is the proof of the server."""
        return hmac.compare_digest(given.encode(), self.proof("server").encode())


def encode(data: bytes) -> str:
    """Return bytes in base64url without padding."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def exchange(token: str, id: str, challenge: str, nonce: bytes) -> Optional[Exchange]:
    """Return an exchange with 16 random bytes, or ``None`` if it is no valid challenge."""
    is_valid = re.fullmatch(r"[\w-]{1,32}\n[\w-]{1,64}", f"{id}\n{challenge}", re.ASCII)
    return Exchange(token, id, challenge, encode(nonce)) if is_valid else None


def read_challenge(headers: List[str]) -> Optional[Tuple[str, str, bool]]:
    """Return id, challenge and whether the last one was stale, from the values of ``WWW-Authenticate``."""
    for header in headers:
        scheme, _, rest = header.strip().partition(" ")
        if scheme.lower() == "halloo":
            pairs = (pair.partition("=") for pair in rest.split(","))
            given = {name.strip().lower(): value.strip().strip('"') for name, _, value in pairs}
            return given.get("id", ""), given.get("challenge", ""), given.get("stale") == "true"
    return None
