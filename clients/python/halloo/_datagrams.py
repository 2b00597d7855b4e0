"""The datagrams of discovery."""

import ipaddress
import json
import math
import re
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from ._names import clean

PROBE_SIZE = 1024
MAX_DATAGRAM_SIZE = 2048
MAX_ADDRESSES = 8
MAX_PAIRS = 16
_KEY = re.compile(r"[A-Za-z0-9_.-]{1,32}")

# An IP address, perhaps with a zone, and a port.
Address = Tuple[str, int]


class Sighting(NamedTuple):
    """What one datagram says about a server."""

    id: Optional[str]
    name: str
    source: Address
    addresses: Tuple[Address, ...]
    clients: Optional[int]
    auth: bool
    tls: bool
    app: Optional[str]
    meta: Dict[str, str]
    challenge: Optional[str]
    is_reply: bool


def probe(nonce: str, ip: Optional[str] = None) -> bytes:
    """Return a datagram that asks all servers to reply."""
    beside = f'"ip":"{ip}",' if ip else ""
    head = f'{{"service":"websocket_server_probe","v":2,"nonce":"{nonce}",{beside}"pad":"'
    return (head + "." * (PROBE_SIZE - len(head) - 2) + '"}').encode()


def format_address(address: Address) -> str:
    """Return an address as it is in a URL."""
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


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


def read(datagram: bytes, source: Address, nonce: str) -> Optional[Sighting]:
    """Return what a datagram from ``source`` says about a server, or ``None`` if it lists none. ``nonce`` is that of the
    own probes."""
    seen = parse_object(datagram) if len(datagram) <= MAX_DATAGRAM_SIZE else None
    if seen is None:
        return None
    service = seen.get("service")
    if service == "websocket_server" or (service == "websocket_server_reply" and seen.get("nonce") == nonce):
        return read_server(seen, source)
    return None


def read_server(seen: Dict[str, Any], source: Address) -> Optional[Sighting]:
    """Return what a beacon, a reply or ``/discovery.json`` says about a server."""
    port = _port(seen.get("port"))
    if port is None:
        return None
    is_reply = seen.get("service") == "websocket_server_reply"
    is_advertised_address = _ip(seen.get("ip")) == _ip(source[0])
    at_source = (source[0], (None if is_advertised_address else _port(seen.get("listen_port"))) or port)
    listed = [(ip, port) for ip in _listed(seen.get("addresses"))] if is_reply else []
    is_advertised = is_reply and seen.get("advertised") is True
    addresses = [*listed, at_source] if is_advertised else [at_source, *listed]
    app = clean(_text(seen.get("app")))
    return Sighting(
        id="".join(one for one in _text(seen.get("id")) if "!" <= one <= "~")[:32] or None,
        name=clean(_text(seen.get("name"))),
        source=at_source,
        addresses=tuple(dict.fromkeys(addresses))[:MAX_ADDRESSES],
        clients=_count(seen.get("clients")),
        auth=is_reply and seen.get("auth") is True,
        tls=is_reply and seen.get("tls") is True,
        app=app if app.strip() else None,
        meta=_meta(seen.get("meta")) if is_reply else {},
        challenge=_text(seen.get("challenge")) or None,
        is_reply=is_reply,
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _count(value: Any) -> Optional[int]:
    return min(max(int(value), 0), 2**32 - 1) if _is_number(value) else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _port(value: Any) -> Optional[int]:
    return int(value) if _is_number(value) and 1 <= value <= 65535 and value == int(value) else None


def _ip(text: Any) -> Optional[str]:
    try:
        return str(ipaddress.ip_address(text)) if isinstance(text, str) else None
    except ValueError:
        return None


def _listed(texts: Any) -> List[str]:
    """Return the listed addresses that another machine could reach."""
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        return []
    usable = []
    for text in texts:
        ip = None if "%" in text else _ip(text)
        if ip is None:
            continue
        parsed = ipaddress.ip_address(ip)
        leads_nowhere = parsed.is_loopback or parsed.is_unspecified or parsed.is_multicast or ip == "255.255.255.255"
        if isinstance(parsed, ipaddress.IPv6Address):
            leads_nowhere = leads_nowhere or parsed.is_link_local or parsed.ipv4_mapped is not None
        if not leads_nowhere:
            usable.append(ip)
    return usable[:MAX_ADDRESSES]


def _meta(pairs: Any) -> Dict[str, str]:
    meta: Dict[str, str] = {}
    for key, value in pairs.items() if isinstance(pairs, dict) else ():
        is_known = key.lower() in (known.lower() for known in meta)
        if len(meta) < MAX_PAIRS and _KEY.fullmatch(key) and isinstance(value, str) and not is_known:
            meta[key] = clean(value, 128).encode()[:128].decode(errors="ignore")
    return meta
