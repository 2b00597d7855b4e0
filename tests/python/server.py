#!/usr/bin/env python3
"""An echo server with the library `websockets`, for tests of the client of halloo.

Prints its URL, then a line with close code and reason for each connection that ends. Refuses the path /refused, fragments
what it echoes on /fragments, and closes with 4000 on the message "enough". Ends when its standard input ends.
"""

import argparse
import http
import ssl
import sys
import threading

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import serve


def echo(websocket):
    fragments = websocket.request.path == "/fragments"
    first = True
    try:
        while True:
            message = websocket.recv()
            # Not before the first message: a client that sends nothing may disconnect before it gets the ping.
            if first and not websocket.ping().wait(10):
                raise TimeoutError("no pong")
            first = False
            if message == "enough":
                websocket.close(4000, "as you wish")
            elif fragments:
                websocket.send(message[at : at + 2000] for at in range(0, len(message), 2000))
            else:
                websocket.send(message)
    except ConnectionClosed:
        print(websocket.close_code, websocket.close_reason, flush=True)
    except Exception as error:
        # The test waits for a line in any case.
        print(f"failed: {error!r}", flush=True)
        raise


def refuse(connection, request):
    if request.path == "/refused":
        return connection.respond(http.HTTPStatus.FORBIDDEN, "not by this door\n")
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tls", metavar="PEM", help="a file with a certificate and its key")
    certificate = parser.parse_args().tls
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH) if certificate else None
    if context:
        context.load_cert_chain(certificate)
    with serve(echo, "127.0.0.1", 0, process_request=refuse, max_size=None, ssl=context) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(f"{'wss' if context else 'ws'}://127.0.0.1:{server.socket.getsockname()[1]}", flush=True)
        sys.stdin.read()
        server.shutdown()


if __name__ == "__main__":
    main()
