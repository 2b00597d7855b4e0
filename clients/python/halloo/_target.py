"""What a person gives as the target: an address, an invitation link, or the name of a server."""

import base64
import binascii
import ipaddress
import re
from typing import NamedTuple, Optional, Tuple
from urllib.parse import quote, unquote

from ._errors import InvalidTarget
from ._names import escape

DEFAULT_PORT = 8765
_TOKEN = re.compile(r"[A-Za-z0-9._~-]{16,256}")
_SECRET = re.compile(r"#token=|&token=|\?token=|#fp=", re.IGNORECASE)


class Url(NamedTuple):
    """An address to connect to."""

    tls: bool
    host: str
    zone: Optional[str]
    port: int
    resource: str
    token: Optional[str]
    fingerprint: Optional[bytes]

    @property
    def authority(self) -> str:
        """The value of ``Host``."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.tls else 80) else f"{host}:{self.port}"

    @property
    def shown(self) -> str:
        """The address without its token."""
        zone = f"%25{self.zone}" if self.zone else ""
        host = f"[{self.host}{zone}]" if ":" in self.host else self.host
        resource = "" if self.resource == "/" else hide_token(self.resource)
        return f"{'wss' if self.tls else 'ws'}://{host}:{self.port}{resource}"


class Target(NamedTuple):
    """An address, a name, or an address that may be a name."""

    url: Optional[Url]
    name: Optional[str]


def hide_token(text: str) -> str:
    """Return a text without the value of each ``token=``."""
    return re.sub(r"(token=)[^&]*", "\\1\u2026", text, flags=re.IGNORECASE)


def check_token(token: str) -> str:
    """Return a token that is valid."""
    if not _TOKEN.fullmatch(token):
        raise InvalidTarget("a token has 16 to 256 of the characters A-Z a-z 0-9 - . _ ~; copy it from the invitation link")
    return token


def read_fingerprint(text: str) -> bytes:
    """Return the bytes of a fingerprint in base64url or in hexadecimal digits."""
    try:
        if len(text) == 43:
            return base64.urlsafe_b64decode(text + "=")
        digits = bytes.fromhex(text.replace(":", ""))
        if len(digits) == 32:
            return digits
    except (ValueError, binascii.Error):
        pass
    raise InvalidTarget("a fingerprint has 64 hexadecimal digits; copy the one that the server shows when it starts")


def room_path(room: str) -> str:
    """Return the path that joins a room."""
    size = len(room.encode())
    if not 1 <= size <= 64:
        raise InvalidTarget(f"the name of a room has 1 to 64 bytes, and this one has {size}; choose another")
    if room.startswith("_"):
        raise InvalidTarget("a room whose name begins with `_` can only be joined by the server; choose another name")
    if room in (".", ".."):
        raise InvalidTarget("a room whose name is `.` or `..` can only be joined by the server; choose another name")
    return "/room/" + quote(room, safe="")


def in_room(url: Url, room: str) -> Url:
    """Return the address with the path that joins a room."""
    _, mark, query = url.resource.partition("?")
    return url._replace(resource=room_path(room) + mark + query)


def read_target(text: str) -> Target:
    """Return what a text means."""
    text = text.strip()
    try:
        url = _read_url(text)
    except InvalidTarget:
        if not text or _has_scheme(text) or _has_ip(text) or _SECRET.search(text):
            raise
        return Target(None, text)
    has_ip = _ip(url.host) is not None
    if has_ip or _has_scheme(text) or _SECRET.search(text) or url.host == "localhost":
        return Target(url, None)
    labels = url.host[:-1].split(".") if url.host.endswith(".") else url.host.split(".")
    is_domain = all(labels) and not labels[-1].isdigit()
    is_word = len(labels) == 1 and _authority(text).lower() == url.host
    return Target(url, text) if is_domain and not is_word else Target(None, text)


def _has_scheme(text: str) -> bool:
    return re.match(r"[A-Za-z0-9+.-]+://", text) is not None


def _authority(text: str) -> str:
    return re.split(r"[/?#]", text, maxsplit=1)[0]


def _has_ip(text: str) -> bool:
    authority = _authority(text)
    host = authority.rsplit(":", 1)[0] if ":" in authority else authority
    return any(_ip(one.strip("[]").split("%")[0]) for one in (host, authority))


def _ip(text: str) -> Optional[str]:
    try:
        return None if "%" in text else str(ipaddress.ip_address(text))
    except ValueError:
        return None


def _read_url(text: str) -> Url:
    text, _, fragment = text.partition("#")
    tls, default_port, rest = False, DEFAULT_PORT, text
    if "://" in text:
        scheme, _, rest = text.partition("://")
        if scheme.lower() not in ("ws", "http", "wss", "https"):
            raise InvalidTarget(f"`{escape(scheme)}://` is not the scheme of a WebSocket; use ws:// or wss://")
        tls = scheme.lower() in ("wss", "https")
        default_port = 443 if tls else 80
    end = re.search(r"[/?]", rest)
    authority, resource = (rest[: end.start()], rest[end.start() :]) if end else (rest, "")
    if "@" in authority:
        raise InvalidTarget("a user name or a password is not supported; remove the part up to `@`")
    wrong = re.search(r"[^!-~]", resource)
    if wrong:
        raise InvalidTarget(f"`{escape(wrong.group())}` is not allowed in a path or query; percent-encode it")
    host, port = _split_port(authority)
    token, fingerprint = _read_fragment(fragment)
    if fingerprint and not tls:
        raise InvalidTarget("a fingerprint needs TLS; use wss:// or https://, or remove `fp=`")
    host, zone = _read_host(host)
    resource = resource if resource.startswith("/") else "/" + resource
    return Url(tls, host, zone, _read_port(port) if port else default_port, resource, token, fingerprint)


def _read_port(digits: str) -> int:
    if re.fullmatch(r"[0-9]{1,5}", digits) and 1 <= int(digits) <= 65535:
        return int(digits)
    raise InvalidTarget(f"`{escape(digits)}` is not a valid port; use a number from 1 to 65535")


def _split_port(authority: str) -> Tuple[str, str]:
    if _ipv6(authority):
        return authority, ""
    if authority.startswith("["):
        inside, bracket, rest = authority.rpartition("]")
        host = inside + bracket
        return (host, rest[1:]) if rest.startswith(":") else (host + rest, "")
    host, _, port = authority.partition(":")
    return host, port


def _ipv6(text: str) -> Optional[Tuple[str, Optional[str]]]:
    ip, percent, zone = text.partition("%")
    parsed = _ip(ip)
    if parsed is None or ":" not in parsed:
        return None
    if not percent:
        return parsed, None
    zone = zone[2:] if zone.startswith("25") and len(zone) > 2 else zone
    if not re.fullmatch(r"[A-Za-z0-9._~-]{1,64}", zone):
        return None
    # Only these addresses need one.
    return parsed, zone if ipaddress.ip_address(parsed).is_link_local else None


def _read_host(text: str) -> Tuple[str, Optional[str]]:
    inside = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    ipv6 = _ipv6(inside)
    if ipv6:
        return ipv6
    if inside == text:
        ip = _ip(text)
        if ip:
            return ip, None
        if re.fullmatch(r"[A-Za-z0-9._-]{1,253}", text):
            return text.lower(), None
    raise InvalidTarget(f"`{escape(text)}` is not a valid host; use an address such as 192.168.1.5, or a name")


def _read_fragment(fragment: str) -> Tuple[Optional[str], Optional[bytes]]:
    token, fingerprint = None, None
    for pair in fragment.split("&"):
        name, mark, value = pair.partition("=")
        if name == "token" and mark:
            token = check_token(unquote(value))
        elif name == "fp" and mark:
            fingerprint = read_fingerprint(value)
        elif pair:
            raise InvalidTarget("an address may only end in `#token=...` and `&fp=...`; remove the rest after `#`")
    return token, fingerprint
