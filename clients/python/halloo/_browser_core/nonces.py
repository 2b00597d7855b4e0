"""Nonces that cannot be predicted: a reply to one shows that its probe was received."""

import hashlib
import hmac


class Nonces:
    """A sequence of nonces. Every device can read one that is broadcast, so each is an HMAC under a secret key and reveals
    nothing about the others."""

    def __init__(self, secret: bytes) -> None:
        self._secret, self._count = secret, 0

    def next(self) -> str:
        """Return the next nonce."""
        self._count += 1
        return hmac.new(self._secret, self._count.to_bytes(8, "big"), hashlib.sha256).hexdigest()[:16]
