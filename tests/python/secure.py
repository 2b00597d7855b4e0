#!/usr/bin/env python3
"""Tests an echo server over TLS with the library `websockets` and OpenSSL; prints OK.

Trusts the certificate in a file, compares the fingerprint of its key, and uses TLS 1.2 and 1.3.
"""

import argparse
import asyncio
import hashlib
import ssl
import sys

from websockets.asyncio.client import connect

TIMEOUT = 10  # seconds per step

MESSAGES = ["hello from python", b"\x00\x01", "x" * (200 * 1024), bytes(1024 * 1024)]


def tls_context(certificate, version):
    context = ssl.create_default_context(cafile=certificate)
    context.minimum_version = context.maximum_version = version
    return context


def element(der, start):
    """Returns the content and the end of the DER element at `start` (X.690 section 8.1)."""
    length, content = der[start + 1], start + 2
    if length >= 0x80:
        count = length & 0x7F
        length, content = int.from_bytes(der[content : content + count], "big"), content + count
    return content, content + length


def public_key(certificate):
    """Returns the SubjectPublicKeyInfo of a certificate in DER form (RFC 5280 section 4.1)."""
    position, _ = element(certificate, element(certificate, 0)[0])
    if certificate[position] == 0xA0:  # the version
        position = element(certificate, position)[1]
    for _ in ["serial number", "signature", "issuer", "validity", "subject"]:
        position = element(certificate, position)[1]
    return certificate[position : element(certificate, position)[1]]


async def test(port, certificate, fingerprint, version):
    options = {"ssl": tls_context(certificate, version), "server_hostname": "localhost", "max_size": None, "proxy": None}
    async with connect(f"wss://127.0.0.1:{port}", **options) as websocket:
        session = websocket.transport.get_extra_info("ssl_object")
        actual = hashlib.sha256(public_key(session.getpeercert(binary_form=True))).hexdigest()
        if actual != fingerprint:
            raise ValueError(f"the fingerprint is {actual} instead of {fingerprint}")
        # All at once, so that many records are in flight in both directions.
        for message in MESSAGES * 3:
            await websocket.send(message)
        for message in MESSAGES * 3:
            if await asyncio.wait_for(websocket.recv(), TIMEOUT) != message:
                raise ValueError("a message came back changed")
        await asyncio.wait_for(await websocket.ping(), TIMEOUT)
        await websocket.close(1000)
        if websocket.close_code != 1000:
            raise ValueError(f"closed with {websocket.close_code} instead of 1000")


async def connect_without_tls(port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    response = await asyncio.wait_for(reader.read(), TIMEOUT)
    writer.close()
    if not response.startswith(b"HTTP/1.1 400") or b"wss://" not in response:
        raise ValueError(f"the response to a request without TLS was {response!r}")


async def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("port", type=int, help="port on 127.0.0.1")
    parser.add_argument("certificate", help="file with the certificate of the server")
    parser.add_argument("fingerprint", help="SHA-256 of the public key, 64 hexadecimal digits")
    arguments = parser.parse_args()
    for version in ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3:
        await test(arguments.port, arguments.certificate, arguments.fingerprint, version)
    await connect_without_tls(arguments.port)
    print("OK", flush=True)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
