"""A WebSocket server with `websockets` for Python: `python python_websockets.py ROLE PORT`."""

import asyncio
import sys

from websockets.asyncio.server import broadcast, serve
from websockets.exceptions import ConnectionClosed

role, port = sys.argv[1], int(sys.argv[2])
clients = set()
received = 0


async def handle(socket):
    global received
    clients.add(socket)
    try:
        async for message in socket:
            text = isinstance(message, str)
            if role == "echo" or (role == "mixed" and text):
                await socket.send(message)
            elif role in ("fanout", "mixed"):
                broadcast(clients, message)
            elif text:
                await socket.send(str(received))
            else:
                received += 1
    except ConnectionClosed:
        pass
    finally:
        clients.discard(socket)


async def main():
    async with serve(handle, "127.0.0.1", port, compression=None, backlog=4096) as server:
        await server.serve_forever()


asyncio.run(main())
