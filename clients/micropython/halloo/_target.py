"""What a person gives as the target: an address, an invitation link, or the name of a server."""

import re

from ._errors import HallooError
from ._text import clean


class Url:
    """An address to connect to."""

    def __init__(self, text):
        scheme, mark, rest = text.partition("://")
        if mark and scheme.lower() not in ("ws", "http"):
            raise HallooError("use an address with ws://; this client has no TLS")
        rest, _, fragment = (rest if mark else text).partition("#")
        parts = re.match("([^/?]*)(.*)$", rest)
        host, _, port = parts.group(1).partition(":")
        if not re.match("[A-Za-z0-9._-]+$", host) or len(host) > 253:
            raise HallooError(f"`{clean(host)}` is not a valid host; use an address such as 192.168.1.5, or a name")
        if port and not (re.match("[0-9]+$", port) and 0 < int(port) < 65536):
            raise HallooError(f"`{clean(port)}` is not a valid port; use a number from 1 to 65535")
        self.host, self.port = host.lower(), int(port or (80 if mark else 8765))
        self.path = parts.group(2) if parts.group(2)[:1] == "/" else "/" + parts.group(2)
        if re.search("[^!-~]", self.path):
            raise HallooError("a path or query has only ASCII characters without space; percent-encode the others")
        self.token = _read_fragment(fragment) if fragment else None


def _read_fragment(fragment):
    name, _, token = fragment.partition("=")
    if name != "token":
        raise HallooError("an address may only end in `#token=...`; remove the rest after `#`")
    return check_token(re.sub("%([0-9A-Fa-f][0-9A-Fa-f])", lambda m: chr(int(m.group(1), 16)), token))


def check_token(token):
    """Return a token that is valid."""
    if not 16 <= len(token) <= 256 or not re.match("[A-Za-z0-9._~-]+$", token):
        raise HallooError("a token has 16 to 256 of the characters A-Z a-z 0-9 - . _ ~; copy it from the invitation link")
    return token


def room_path(room):
    """Return the path that joins a room."""
    if not 1 <= len(room.encode()) <= 64 or room in (".", "..") or room[0] == "_":
        raise HallooError("the name of a room has 1 to 64 bytes, is not `.` or `..`, and does not begin with `_`; choose another")
    return "/room/" + "".join(chr(b) if re.match("[A-Za-z0-9._~-]", chr(b)) else "%%%02X" % b for b in room.encode())


def in_room(path, room):
    """Return a path with its query, but to a room."""
    return room_path(room) + "".join(path.partition("?")[1:])


def is_ip(text):
    """Return whether a text is an IPv4 address."""
    parts = text.split(".")
    return len(parts) == 4 and all(re.match("[0-9]+$", one) and int(one) < 256 for one in parts)


def read_target(text):
    """Return the address that a text means, the name that it means, or both."""
    text = text.strip()
    authority = re.match("[^/?#]*", text).group(0)
    host = authority.split(":")[0]
    is_url = is_ip(host) or re.match("[A-Za-z0-9+.-]+://", text) or re.search("[#&?]token=|#fp=", text)
    try:
        url = Url(text)
    except HallooError:
        if is_url or not text:
            raise
        return None, text
    if is_url or host == "localhost":
        return url, None
    labels = host.split(".")
    is_host = all(labels) and not labels[-1].isdigit() and (len(labels) > 1 or ":" in authority)
    return (url if is_host else None), text
