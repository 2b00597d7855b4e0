"""The opening handshake (RFC 6455 section 4)."""

import binascii
import hashlib
import os

from ._proof import prove, read_challenge
from ._text import clean

MAX_HEAD, MAX_TEXT = 8192, 300


class Handshake:
    """What one handshake says and expects. `challenge` is the id and the challenge of the server, if they are known."""

    def __init__(self, token=None, challenge=None, id=None, must_confirm=False, key=None, nonce=None):
        self._token, self._id, self._must_confirm = token, id, must_confirm
        made = prove(token, challenge[0], challenge[1], nonce or os.urandom(16)) if token and challenge else None
        self._authorization, self.proof = made or (None, None)
        self._key = key or binascii.b2a_base64(os.urandom(16)).strip()
        self.is_confirmed = False

    def request(self, path, host):
        lines = [
            f"GET {path} HTTP/1.1", f"Host: {host}", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Key: {self._key.decode()}",
        ]
        if self._authorization:
            lines.append(f"Authorization: {self._authorization}")
        if self._id:
            lines.append(f"Halloo-Id: {self._id}")
        return "\r\n".join(lines + ["", ""]).encode()

    def read(self, data, is_over):
        """Return None until more has arrived. Then return the ending, "open" or as in vectors/endings.json; its text, or the bytes
        after the response; the status; and the challenge of a refusal."""
        head, mark, body = data.partition(b"\r\n\r\n")
        if not b"HTTP/1.".startswith(data[:7]) or len(head) > MAX_HEAD:
            return "no WebSocket", "it does not speak HTTP", 0, None
        if not mark:
            return ("lost", "it closed the connection", 0, None) if is_over else None
        first, *lines = "".join(chr(b) for b in head).split("\r\n")
        headers = [line.partition(":") for line in lines]
        values = lambda name: [value.strip() for one, _, value in headers if one.lower() == name]
        status = int(first[9:12]) if first[9:12].isdigit() else 0
        if 100 <= status < 200 and status != 101:
            return self.read(body, is_over)
        if status == 101:
            ending, text = self._check(values)
            return ending, body if ending == "open" else text, status, None
        is_text = any(value.startswith("text/plain") for value in values("content-type"))
        if is_text and not is_over and len(body) < MAX_TEXT:
            return None
        text = "".join(chr(b) if b < 128 else "?" for b in body[:MAX_TEXT]) if is_text else first[13:]
        for where in values("location"):
            text += f"; it redirects to {where}, so connect to that address if you trust it"
        return "refused", clean(text, 2 * MAX_TEXT), status, read_challenge(values("www-authenticate")) if status == 401 else None

    def _check(self, values):
        accept = hashlib.sha1(self._key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
        if values("sec-websocket-accept") != [binascii.b2a_base64(accept).decode().strip()]:
            return "no WebSocket", "its response is for another request"
        upgrade, connection = ",".join(values("upgrade")).lower(), ",".join(values("connection")).lower()
        if upgrade != "websocket" or "upgrade" not in connection.replace(" ", "").split(","):
            return "no WebSocket", "it did not upgrade the connection"
        if values("sec-websocket-extensions") or values("sec-websocket-protocol"):
            return "no WebSocket", "it uses what was not offered"
        ids = values("halloo-id")
        self.is_confirmed = self._id is not None and ids == [self._id]
        if self._id is not None and not self.is_confirmed and (ids or self._must_confirm):
            return "wrong server", "another server has this address now"
        if self._token and not self.proof:
            return "wrong server", "it did not ask for a token; if it is the right server, connect without one"
        given = "".join(values("halloo-proof"))
        # Every character is compared, so that the time says nothing.
        if self.proof and (len(given) != len(self.proof) or sum(a != b for a, b in zip(given, self.proof))):
            return "wrong server", "it did not prove that it knows the token"
        return "open", ""
