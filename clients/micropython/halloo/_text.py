"""Texts from the network, and names of servers. There is no table of Unicode, so names are not normalized."""

import re

# Bytes that MicroPython takes for UTF-8 although they are not: too long forms, halves of surrogate pairs, above U+10FFFF.
_NOT_UTF8 = re.compile(b"[\xc0\xc1\xf5-\xff]|\xe0[\x80-\x9f]|\xed[\xa0-\xbf]|\xf0[\x80-\x8f]|\xf4[\x90-\xbf]")
# The first and the last of the characters that are not shown, in pairs, since `re` matches single bytes.
_HIDDEN = "\0\x1f\x7f\x9f\xad\xad\u061c\u061c\u200b\u200f\u2028\u202e\u2060\u206f\ufe00\ufe0f\ufeff\ufeff\ufff0\ufffb"


def is_utf8(data):
    try:
        str(data, "utf-8")
    except UnicodeError:
        return False
    return not _NOT_UTF8.search(data)


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
    """Return the servers that a text matches best, and whether it is an id. Several servers mean that it is ambiguous."""
    ranks = [_rank(text, one.id, one.name) for one in servers]
    best = max(ranks + [0])
    return [one for one, rank in zip(servers, ranks) if rank and rank == best], best == 4


def is_same_app(one, other):
    return key(one) == key(other) != ""
