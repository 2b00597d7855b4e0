"""Sends a reading ten times a second, for dashboard.py to show.

halloo serve --relay --name living-room    # on one machine of the network
python sensor.py                           # on any other, or with an address or another name: python sensor.py den
"""

import json
import math
import sys
import time
from contextlib import suppress

import halloo


def read_sensor() -> float:
    """Replace this with what your device measures."""
    return 20 + math.sin(time.time())


def main() -> None:
    target = sys.argv[1] if len(sys.argv) > 1 else "living-room"
    # While there is no connection, few readings are kept, since old ones are of no use.
    with halloo.connect(target, queue=(10, 10_000)) as link:
        print(f"sending to {link.url}; Ctrl+C ends it", flush=True)
        while True:
            link.send(json.dumps({"sensor": "temperature", "value": round(read_sensor(), 2)}))
            time.sleep(0.1)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main()
