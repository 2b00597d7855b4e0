"""A dashboard: connects to URL with the library `websockets`, offers the subprotocol `json`, prints `open` with the
subprotocol that was chosen, and then each message."""

import sys

from websockets.sync.client import connect

with connect(sys.argv[1], subprotocols=["json"], compression=None) as websocket:
    print("open", websocket.subprotocol, flush=True)
    for message in websocket:
        print(message if isinstance(message, str) else message.hex(), flush=True)
