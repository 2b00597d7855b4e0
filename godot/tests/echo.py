"""A WebSocket server of the library websockets, which returns messages until one is `stop`. It writes its port into a file."""

import os
import sys
import threading

from websockets.sync.server import serve


def main(path):
    def echo(peer):
        for message in peer:
            if message == "stop":
                threading.Thread(target=server.shutdown).start()
                return
            peer.send(message)

    with serve(echo, "127.0.0.1", 0) as server:
        with open(path + ".new", "w") as file:
            file.write(str(server.socket.getsockname()[1]))
        os.replace(path + ".new", path)
        server.serve_forever()


main(sys.argv[1])
