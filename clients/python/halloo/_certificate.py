"""What an X.509 certificate says (RFC 5280), without checking any of it: its key and the names of its server."""

import hashlib
import ipaddress
from typing import Iterator, List, NamedTuple, Tuple

_VERSION, _EXTENSIONS = 0xA0, 0xA3
_COMMON_NAME, _ALTERNATIVE_NAMES = bytes.fromhex("550403"), bytes.fromhex("551d11")
_DNS_NAME, _IP_ADDRESS = 0x82, 0x87
# A certificate of halloo lists each address of its machine.
_MAX_NAMES = 8


class _Element(NamedTuple):
    """An element of DER: its tag, its content, and all of its bytes."""

    tag: int
    content: bytes
    raw: bytes


def fingerprints(certificate: bytes) -> Tuple[bytes, bytes]:
    """Return the SHA-256 of the public key (``SubjectPublicKeyInfo``), and that of the whole certificate."""
    return hashlib.sha256(_public_key(certificate)).digest(), hashlib.sha256(certificate).digest()


def names(certificate: bytes) -> List[str]:
    """Return the first subject alternative names, else the common name; none if it cannot be parsed."""
    try:
        fields = _fields(certificate)
        return (_alternative_names(fields) or _common_names(fields))[:_MAX_NAMES]
    except (IndexError, ValueError):
        return []


def _public_key(certificate: bytes) -> bytes:
    try:
        return _fields(certificate)[5].raw
    except IndexError:
        return b""


def _fields(certificate: bytes) -> List[_Element]:
    """Return the fields of ``TBSCertificate`` (section 4.1) without the version, which is optional."""
    fields = list(_elements(_first(_first(certificate).content).content))
    return fields[1:] if fields and fields[0].tag == _VERSION else fields


def _alternative_names(fields: List[_Element]) -> List[str]:
    """Return the DNS names and IP addresses (section 4.2.1.6)."""
    found = []
    for field in fields:
        for extension in _elements(_first(field.content).content) if field.tag == _EXTENSIONS else ():
            # The identifier, whether it is critical, and an octet string with the value.
            parts = list(_elements(extension.content))
            if parts[0].content == _ALTERNATIVE_NAMES:
                found += [_to_text(one) for one in _elements(_first(parts[-1].content).content)]
    return [name for name in found if name]


def _to_text(name: _Element) -> str:
    if name.tag == _IP_ADDRESS:
        return str(ipaddress.ip_address(name.content))
    return name.content.decode("ascii", "replace") if name.tag == _DNS_NAME else ""


def _common_names(fields: List[_Element]) -> List[str]:
    """Return the common names of the subject (section 4.1.2.6)."""
    found = []
    for relative in _elements(fields[4].content):
        for attribute in _elements(relative.content):
            kind, value = list(_elements(attribute.content))[:2]
            if kind.content == _COMMON_NAME:
                found.append(value.content.decode("utf-8", "replace"))
    return found


def _first(data: bytes) -> _Element:
    """Return the first element. Raises ``IndexError`` if there is none."""
    return list(_elements(data))[0]


def _elements(data: bytes) -> Iterator[_Element]:
    """Yield the elements that follow each other. Raises ``IndexError`` if one is not complete."""
    at = 0
    while at < len(data):
        length, start = data[at + 1], at + 2
        if length >= 0x80:
            count = length & 0x7F
            length, start = int.from_bytes(data[start : start + count], "big"), start + count
        end = start + length
        if end > len(data):
            raise IndexError("the element is not complete")
        yield _Element(data[at], data[start:end], data[at:end])
        at = end
