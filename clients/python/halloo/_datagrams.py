"""The datagrams of discovery."""

import ipaddress
import json
import math
import re
from functools import lru_cache
from typing import Any, Dict, NamedTuple, Optional, Tuple, Union

from ._names import clean

PROBE_SIZE = 1024
MAX_DATAGRAM_SIZE = 2048
MAX_ADDRESSES = 8
MAX_PAIRS = 16
_KEY = re.compile(r"[A-Za-z0-9_.-]{1,32}")
_BASE64URL = re.compile(r"[A-Za-z0-9_-]{1,64}")

# An IP address, perhaps with a zone, and a port.
Address = Tuple[str, int]
IpAddress = Union[ipaddress.IPv4Address, ipaddress.IPv6Address]


class Announcement(NamedTuple):
    """A received datagram, or what ``/discovery.json`` contains. ``None`` is what it does not say."""

    service: str
    nonce: Optional[str]
    id: Optional[str]
    name: Optional[str]
    ip: Optional[str]
    port: Optional[int]
    listen_port: Optional[int]
    #: Every address that it lists, usable or not.
    addresses: Optional[Tuple[str, ...]]
    advertised: bool
    clients: Optional[int]
    ttl: Optional[float]
    auth: Optional[bool]
    tls: Optional[bool]
    challenge: Optional[str]
    app: Optional[str]
    cluster: Optional[str]
    meta: Dict[str, str]
    truncated: bool

    def port_at(self, host: str) -> Optional[int]:
        """Return the port to connect to at the address that it came from. Another machine may forward the port that the server
        announces, and the server listens on another one then."""
        return (None if self.ip == _without_zone(host) else self.listen_port) or self.port

    def lists(self, host: str) -> bool:
        """Return whether it lists this IP address."""
        return _without_zone(host) in (parse_ip(text) for text in self.addresses or ())

    def usable_addresses(self) -> Optional[Tuple[Address, ...]]:
        """Return the listed addresses that another machine could reach, or ``None`` if it has no list."""
        if self.addresses is None or self.port is None:
            return None
        usable = (ip for ip in map(parse_ip, self.addresses) if ip is not None and _is_reachable(ip))
        return tuple((ip, self.port) for ip in usable)[:MAX_ADDRESSES]


def probe(nonce: str, ip: Optional[str] = None) -> bytes:
    """Return a datagram that asks all servers to reply. Over IPv6, ``ip`` is the address at which the same probe is sent over
    IPv4, so that a server does not reply twice."""
    beside = f'"ip":"{ip}",' if ip else ""
    head = f'{{"service":"websocket_server_probe","v":2,"nonce":"{nonce}",{beside}"pad":"'
    return (head + "." * (PROBE_SIZE - len(head) - 2) + '"}').encode()


def format_address(address: Address) -> str:
    """Return an address as it is in a URL."""
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def parse_address(text: str) -> Address:
    """Return an address that ``format_address`` made."""
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


@lru_cache(maxsize=1024)
def to_ip(host: str) -> IpAddress:
    """Return the IP address of an address, without its zone."""
    return ipaddress.ip_address(_without_zone(host))


def _without_zone(host: str) -> str:
    return host.partition("%")[0]


def parse_ip(text: Any) -> Optional[str]:
    """Return a text in the usual form of an IP address without a zone, or ``None`` if it is none."""
    try:
        return str(ipaddress.ip_address(text)) if isinstance(text, str) and "%" not in text else None
    except ValueError:
        return None


def parse_announcement(body: bytes) -> Optional[Announcement]:
    """Parse a datagram; ``None`` if it is not one of discovery."""
    keys = parse_object(body)
    service = keys.get("service") if keys is not None else None
    if keys is None or not isinstance(service, str) or not service.startswith("websocket_server"):
        return None
    name, listed = _text(keys.get("name")), keys.get("addresses")
    id = "".join(one for one in _text(keys.get("id")) or "" if "!" <= one <= "~")[:32] or None
    ttl, challenge = keys.get("ttl"), _text(keys.get("challenge"))
    has_list = isinstance(listed, list) and all(isinstance(text, str) for text in listed)
    can_challenge = challenge is not None and _BASE64URL.fullmatch(challenge) and id is not None and _BASE64URL.fullmatch(id)
    return Announcement(
        service=service,
        nonce=_text(keys.get("nonce")),
        id=id,
        name=None if name is None else clean(name),
        ip=parse_ip(keys.get("ip")),
        port=_port(keys.get("port")),
        listen_port=_port(keys.get("listen_port")),
        addresses=tuple(listed) if isinstance(listed, list) and has_list else None,
        advertised=keys.get("advertised") is True,
        clients=_count(keys.get("clients")),
        ttl=ttl if _is_number(ttl) else None,
        auth=_flag(keys.get("auth")),
        tls=_flag(keys.get("tls")),
        challenge=challenge if can_challenge else None,
        app=_visible(keys.get("app")),
        cluster=_visible(keys.get("cluster")),
        meta=_meta(keys.get("meta")),
        truncated=keys.get("truncated") is True,
    )


def _visible(value: Any) -> Optional[str]:
    text = clean(_text(value) or "")
    return text if text.strip() else None


def parse_object(body: bytes) -> Optional[Dict[str, Any]]:
    """Parse a JSON object, and nothing that only some parsers accept."""
    try:
        value = json.loads(body.decode("utf-8"), parse_constant=_refuse, parse_float=_finite)
        # Half of a surrogate pair is no character.
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _refuse(text: str) -> float:
    raise ValueError(text)


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refuse(text)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _count(value: Any) -> Optional[int]:
    return min(max(int(value), 0), 2**32 - 1) if _is_number(value) else None


def _text(value: Any) -> Optional[str]:
    return value if isinstance(value, str) else None


def _flag(value: Any) -> Optional[bool]:
    return value if isinstance(value, bool) else None


def _port(value: Any) -> Optional[int]:
    return int(value) if _is_number(value) and 1 <= value <= 65535 and value == int(value) else None


def _is_reachable(ip: str) -> bool:
    parsed = ipaddress.ip_address(ip)
    if isinstance(parsed, ipaddress.IPv6Address) and (parsed.is_link_local or parsed.ipv4_mapped is not None):
        return False
    leads_nowhere = parsed.is_loopback or parsed.is_unspecified or parsed.is_multicast
    return not leads_nowhere and ip != "255.255.255.255"


def _meta(pairs: Any) -> Dict[str, str]:
    meta: Dict[str, str] = {}
    for key, value in pairs.items() if isinstance(pairs, dict) else ():
        is_known = key.lower() in (known.lower() for known in meta)
        if len(meta) < MAX_PAIRS and _KEY.fullmatch(key) and isinstance(value, str) and not is_known:
            meta[key] = clean(value, 128).encode()[:128].decode(errors="ignore")
    return meta
