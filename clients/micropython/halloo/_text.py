"""Texts from the network, and names of servers. There is no table of Unicode, so names are not normalized."""

import re

# A byte, and the first and the last of the next ones, that MicroPython takes for UTF-8 although they are not: too long forms,
# halves of surrogate pairs, and numbers above U+10FFFF.
_NOT_UTF8 = ((0xE0, 0x80, 0x9F), (0xED, 0xA0, 0xBF), (0xF0, 0x80, 0x8F), (0xF4, 0x90, 0xBF))
# The first and the last of the characters that are not shown, in pairs, since `re` matches single bytes.
_HIDDEN = "\0\x1f\x7f\x9f\xad\xad\u061c\u061c\u200b\u200f\u2028\u202e\u2060\u206f\ufe00\ufe0f\ufeff\ufeff\ufff0\ufffb"


def is_utf8(data):
    try:
        if len(str(data, "utf-8")) == len(data):
            return True
    except UnicodeError:
        return False
    # `in` is much faster than a loop over the bytes, or than `re`.
    for first, low, high in _NOT_UTF8:
        if bytes([first]) in data and any(bytes([first, second]) in data for second in range(low, high + 1)):
            return False
    return not any(bytes([first]) in data for first in (0xC0, 0xC1) + tuple(range(0xF5, 0x100)))


def _is_hidden(c):
    return any(_HIDDEN[i] <= c <= _HIDDEN[i + 1] for i in range(0, len(_HIDDEN), 2))


def clean(text, limit=64):
    """Return a text without characters that could deceive, and without the value of a token."""
    text = "".join(" " if c in "\xa0\u2800\u3000" or "\u2000" <= c <= "\u200a" else c for c in text)
    text = "".join(c for c in text if not _is_hidden(c))
    return re.sub("token=[^&, ]*", "token=\u2026", text)[:limit]


def key(name):
    """Return the form in which a name is compared."""
    return " ".join(clean(name).lower().split())


def _words(name):
    return "".join(c if c.isalpha() or c.isdigit() or c > "\x7f" else " " for c in name).split()


def _rank(text, id, name):
    """Return how well a text matches a server; 0 if it does not."""
    if text.strip().lower() == id.lower():
        return 4
    text, name = key(text), key(name)
    if text and text == name:
        return 3
    if _words(text) and _words(text) == _words(name):
        return 2
    return 1 if len(text) > 1 and text[-1] == "\u2026" and name.startswith(text[:-1]) else 0


def best_matches(text, servers):
    """Return the servers that a text matches best, and whether it is an id. Several are ambiguous, unless they are one cluster."""
    ranks = [_rank(text, one.id, one.name) for one in servers]
    best = max(ranks + [0])
    return [one for one, rank in zip(servers, ranks) if rank and rank == best], best == 4


def least_busy(servers):
    """Return the server with the fewest clients if all of them belong to one cluster; None if they are different ones."""
    cluster = servers[0].cluster
    if len(servers) == 1 or cluster and all(one.cluster == cluster for one in servers):
        return min(servers, key=lambda one: 1 << 32 if one.clients is None else one.clients)


def is_same_app(one, other):
    return key(one) == key(other) != ""
