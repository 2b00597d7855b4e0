"""What has a share of the bounded tables."""

from functools import lru_cache
from ipaddress import IPv6Address

from .._datagrams import to_ip


@lru_cache(maxsize=1024)
def source_of(host: str) -> bytes:
    """Return the bytes of the IPv4 address, or of the /64 of the IPv6 address, of which a device can use every address."""
    ip = to_ip(host)
    if isinstance(ip, IPv6Address):
        return ip.ipv4_mapped.packed if ip.ipv4_mapped else ip.packed[:8]
    return ip.packed
