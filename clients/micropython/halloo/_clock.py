"""Time and chance."""

import os
import time

_ticks, _elapsed = time.ticks_ms(), 0


def now():
    """Return milliseconds, without the overflow of ticks_ms."""
    global _ticks, _elapsed
    ticks = time.ticks_ms()
    _elapsed += time.ticks_diff(ticks, _ticks)
    _ticks = ticks
    return _elapsed


def chance():
    """Return a random number from 0 to 1, each equally likely."""
    return int.from_bytes(os.urandom(2), "big") / 65535
