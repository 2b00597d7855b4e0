"""Names of servers: how they are displayed and compared."""

import math
import unicodedata
from typing import Callable, List, Optional, Sequence, Tuple, TypeVar

MAX_NAME_CHARS = 64
_T = TypeVar("_T")

# Characters that are not displayed, although they are no format characters (Default_Ignorable_Code_Point).
_IGNORABLE = (
    (0x34F, 0x34F),
    (0x115F, 0x1160),
    (0x17B4, 0x17B5),
    (0x180B, 0x180F),
    (0x2065, 0x2065),
    (0x3164, 0x3164),
    (0xFE00, 0xFE0F),
    (0xFFA0, 0xFFA0),
    (0xFFF0, 0xFFF8),
    (0xE0000, 0xE0FFF),
)
_UNUSUAL_SPACES = ((0x1680, 0x1680), (0x2000, 0x200A), (0x2028, 0x2029), (0x205F, 0x205F))
_PICTURES = ((0x2190, 0x21FF), (0x2300, 0x2BFF), (0x1F000, 0x1FAFF))
_OTHER_EMOJI = "\u00a9\u00ae\u203c\u2049\u2122\u2139\u3030\u303d\u3297\u3299"
_VIRAMAS = "\u094d\u09cd\u0a4d\u0acd\u0b4d\u0bcd\u0c4d\u0ccd\u0d4d\u0dca"
_ARABIC = ((0x620, 0x64A), (0x671, 0x6D3), (0x6FA, 0x6FF), (0x750, 0x77F))
_ZWJ, _ZWNJ, _TEXT_STYLE, _EMOJI_STYLE, _KEYCAP = "\u200d", "\u200c", "\ufe0e", "\ufe0f", "\u20e3"
_JOINERS = (_ZWJ, _ZWNJ, _TEXT_STYLE, _EMOJI_STYLE)


def _is_in(character: str, ranges: Sequence[Tuple[int, int]]) -> bool:
    number = ord(character)
    return any(first <= number <= last for first, last in ranges)


def is_harmful(character: str) -> bool:
    """Return whether a character could deceive when it is displayed, or command a terminal."""
    if " " <= character <= "~":
        return False
    is_control = unicodedata.category(character) in ("Cc", "Cf")
    return is_control or _is_in(character, _IGNORABLE) or _is_in(character, _UNUSUAL_SPACES)


def _is_emoji(character: str) -> bool:
    return _is_in(character, _PICTURES) or character in _OTHER_EMOJI


def _is_joining(before: Optional[str], character: str, after: Optional[str]) -> bool:
    """Return whether a joiner or a variation selector changes how its neighbours look, so that it hides nothing."""
    if before is None:
        return False
    is_after_virama = before in _VIRAMAS and after is not None and "\u0900" <= after <= "\u0dff"
    if character == _ZWJ:
        is_between_emoji = (_is_emoji(before) or before == _EMOJI_STYLE) and after is not None and _is_emoji(after)
        return is_after_virama or is_between_emoji
    if character == _ZWNJ:
        is_between_letters = _is_in(before, _ARABIC) and after is not None and _is_in(after, _ARABIC)
        return is_after_virama or is_between_letters
    return _is_emoji(before) or (before in "0123456789#*" and after == _KEYCAP)


def _usual_space(character: str) -> str:
    is_line_end = unicodedata.category(character) == "Cc" or character in "\u2028\u2029"
    return " " if (character.isspace() and not is_line_end) or character == "\u2800" else character


def clean(text: str, limit: int = MAX_NAME_CHARS) -> str:
    """Return a text in Normalization Form C, without characters that could deceive, cut to ``limit`` characters."""
    characters = [_usual_space(character) for character in text]
    characters = [one for one in characters if not is_harmful(one) or one in _JOINERS]
    kept: List[str] = []
    for number, character in enumerate(characters):
        after = characters[number + 1] if number + 1 < len(characters) else None
        if character not in _JOINERS or _is_joining(kept[-1] if kept else None, character, after):
            kept.append(character)
    cut = unicodedata.normalize("NFC", "".join(kept))[:limit]
    # The character that it joined was cut.
    while cut and cut[-1] in _JOINERS and not _is_joining(cut[-2:-1] or None, cut[-1], None):
        cut = cut[:-1]
    return cut


def key(name: str) -> str:
    """Return the form of a name in which it is compared."""
    shown = clean(name.strip())
    # By way of upper case, so that the two forms of some letters become one, such as both kinds of sigma.
    upper = "".join(character.upper() for character in shown if character not in _JOINERS)
    folded = unicodedata.normalize("NFC", "".join(character.lower() for character in upper))
    return " ".join(folded.split())


def _slug(name: str) -> str:
    words = "".join(one if one.isalnum() or unicodedata.category(one).startswith("M") else " " for one in name)
    return "-".join(words.split())


def is_same_app(one: str, other: str) -> bool:
    """Return whether two application ids are the same."""
    return key(one) != "" and key(one) == key(other)


def _match(text: str, id: str, name: str) -> int:
    """Return how well a text matches a server: 0 if it does not, and more if it matches better."""
    if text.strip().isascii() and id.isascii() and text.strip().lower() == id.lower():
        return 4
    sought, name = key(text), key(name)
    if not sought:
        return 0
    if sought == name:
        return 3
    if _slug(sought) and _slug(sought) == _slug(name):
        return 2
    beginning = sought[:-1] if sought.endswith("\u2026") else ""
    return 1 if beginning and name.startswith(beginning) else 0


def best_matches(text: str, servers: Sequence[_T], id_and_name: Callable[[_T], Tuple[str, str]]) -> List[_T]:
    """Return the servers that a text matches best. More than one means that it is ambiguous, unless they are one cluster."""
    matches = [_match(text, *id_and_name(server)) for server in servers]
    best = max(matches, default=0)
    return [server for server, match in zip(servers, matches) if best and match == best]


def least_busy(servers: Sequence[_T], cluster_and_clients: Callable[[_T], Tuple[Optional[str], Optional[int]]]) -> Optional[_T]:
    """Return the server with the fewest clients if all of them belong to one cluster; ``None`` if they are different ones."""

    def clients(server: _T) -> float:
        known = cluster_and_clients(server)[1]
        return math.inf if known is None else known

    clusters = {cluster_and_clients(server)[0] for server in servers}
    if len(servers) > 1 and (len(clusters) > 1 or None in clusters):
        return None
    return min(servers, key=clients, default=None)


def is_id(text: str, id: str) -> bool:
    """Return whether a text is the id of a server."""
    return _match(text, id, "") == 4


def escape(text: str, limit: int = 300) -> str:
    """Return a text from the network for an error or a log."""
    shown = "".join(one.encode("unicode_escape").decode() if is_harmful(one) else one for one in text)
    return shown if len(shown) <= limit else shown[:limit] + "\u2026"
