import json
import random
import time

import halloo

with halloo.connect("lab") as link:
    while True:
        temperature = 21 + random.uniform(-0.5, 0.5)  # replace this with what your sensor measures
        link.send(json.dumps({"sensor": "window", "celsius": round(temperature, 1)}))
        time.sleep(0.5)
