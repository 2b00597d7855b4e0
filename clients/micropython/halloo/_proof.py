"""How client and server prove to each other that they know the token."""

import binascii
import hashlib
import re


def base64url(data):
    return binascii.b2a_base64(data).decode().strip().replace("+", "-").replace("/", "_").rstrip("=")


def _hmac(secret, data):
    """HMAC-SHA-256 (RFC 2104), which MicroPython lacks."""
    secret = hashlib.sha256(secret).digest() if len(secret) > 64 else secret
    for pad in (0x36, 0x5C):
        data = hashlib.sha256(bytes(b ^ pad for b in secret + bytes(64 - len(secret))) + data).digest()
    return data


def prove(token, id, challenge, nonce):
    """Return the Authorization of the client and the proof of the server, or None if it is no valid challenge. `nonce` is 16
    random bytes."""
    is_valid = re.match("[A-Za-z0-9_-]+\n[A-Za-z0-9_-]+$", id + "\n" + challenge)
    if not is_valid or len(id) > 32 or len(challenge) > 64:
        return None
    nonce = base64url(nonce)
    client, server = (
        base64url(_hmac(token.encode(), f"halloo {side}\n{id}\n{challenge}\n{nonce}".encode())) for side in ("client", "server")
    )
    return f'Halloo challenge="{challenge}", nonce="{nonce}", proof="{client}"', server


def read_challenge(headers):
    """Return id, challenge, and whether the last one was stale, from the values of WWW-Authenticate; or None."""
    for header in headers:
        if header.lower().startswith("halloo "):
            pairs = [pair.partition("=") for pair in header[7:].split(",")]
            given = {name.strip().lower(): value.strip().strip('"') for name, _, value in pairs}
            return given.get("id", ""), given.get("challenge", ""), given.get("stale") == "true"
    return None
