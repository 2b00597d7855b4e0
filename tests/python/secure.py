#!/usr/bin/env python3
"""Talks to an echoing server by TLS, with the usual library and the system's own TLS, and prints OK.

Trusts the certificate in a file, compares its fingerprint, and speaks each version of TLS that is still in use.
"""

import argparse
import asyncio
import hashlib
import ssl
import sys

from websockets.asyncio.client import connect

TIMEOUT = 10  # seconds for each step

MESSAGES = ["hello from python", b"\x00\x01", "x" * (200 * 1024), bytes(1024 * 1024)]


def context(certificate, version):
    trust = ssl.create_default_context(cafile=certificate)
    trust.minimum_version = trust.maximum_version = version
    return trust


async def talk(port, certificate, fingerprint, version):
    options = {"ssl": context(certificate, version), "server_hostname": "localhost", "max_size": None, "proxy": None}
    async with connect(f"wss://127.0.0.1:{port}", **options) as websocket:
        session = websocket.transport.get_extra_info("ssl_object")
        seen = hashlib.sha256(session.getpeercert(binary_form=True)).hexdigest()
        if seen != fingerprint:
            raise ValueError(f"the fingerprint is {seen}, not {fingerprint}")
        # All at once, so that many records are on their way in both directions.
        for message in MESSAGES * 3:
            await websocket.send(message)
        for message in MESSAGES * 3:
            if await asyncio.wait_for(websocket.recv(), TIMEOUT) != message:
                raise ValueError("what came back is not what was sent")
        await asyncio.wait_for(await websocket.ping(), TIMEOUT)
        await websocket.close(1000)
        if websocket.close_code != 1000:
            raise ValueError(f"closed with {websocket.close_code}, not 1000")


async def knock_without_tls(port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    answer = await asyncio.wait_for(reader.read(), TIMEOUT)
    writer.close()
    if not answer.startswith(b"HTTP/1.1 400") or b"wss://" not in answer:
        raise ValueError(f"a plain request was answered with {answer!r}")


async def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("port", type=int)
    parser.add_argument("certificate", help="the file with the server's certificate")
    parser.add_argument("fingerprint", help="its SHA-256, 64 digits")
    arguments = parser.parse_args()
    for version in ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3:
        await talk(arguments.port, arguments.certificate, arguments.fingerprint, version)
    await knock_without_tls(arguments.port)
    print("OK", flush=True)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
