"""Shows the readings of sensor.py as they arrive, with a line for each sensor.

halloo serve --relay --name living-room    # on one machine of the network
python dashboard.py                        # on any other, or with an address or another name: python dashboard.py den
"""

import json
import math
import sys
from collections import deque
from contextlib import suppress
from typing import Deque, Dict

import halloo

BARS = "▁▂▃▄▅▆▇█"


def plot(values: Deque[float]) -> str:
    low, high = min(values), max(values)
    return "".join(BARS[round((value - low) / ((high - low) or 1) * (len(BARS) - 1))] for value in values)


def main() -> None:
    readings: Dict[str, Deque[float]] = {}
    with halloo.connect(sys.argv[1] if len(sys.argv) > 1 else "living-room") as link:
        for message in link:
            # Another program of the network may send anything.
            with suppress(ValueError, KeyError, TypeError, OverflowError, RecursionError):
                reading = json.loads(message)
                sensor, value = ascii(reading["sensor"])[:20], float(reading["value"])
                if abs(value) < math.inf and (sensor in readings or len(readings) < 10):
                    readings.setdefault(sensor, deque(maxlen=50)).append(value)
            lines = [f"{sensor:20} {values[-1]:10.2f} {plot(values)}" for sensor, values in readings.items()]
            print("\033[H\033[J" + "\n".join(lines), flush=True)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main()
