"""Plays a game that is made for phones: it drives in a circle and presses A once a second, as a pad does.

halloo serve --pad --name game    # or a game with pads
python drive_game.py game         # or its address
"""

import json
import math
import secrets
import sys
import time
from contextlib import suppress

import halloo

JOIN = {"join": {"name": "Python", "color": "#2d7dd2", "seat": secrets.token_hex(16)}}


def move(now: float) -> str:
    return json.dumps({"left": [round(math.cos(now), 2), round(math.sin(now), 2)], "a": int(now % 1 < 0.1)})


def main() -> None:
    # Each connection would have to begin with the same player, so this one ends with the game.
    with halloo.connect(sys.argv[1], reconnect=False) as link:
        print(f"playing at {link.url}; Ctrl+C ends it", flush=True)
        link.send(json.dumps({**JOIN, "left": [0, 0], "a": 0}))
        while link.state != "closed":
            link.send(move(time.monotonic()))
            with suppress(TimeoutError):
                print("the game says", ascii(link.recv(timeout=1 / 30)), flush=True)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt, halloo.Closed):
        main()
