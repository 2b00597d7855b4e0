#!/usr/bin/env python3
"""Searches for a halloo server with DNS-SD and prints events, one JSON object per line, until the server is gone.

Uses the library `zeroconf`, which is independent of halloo.
Exit codes: 0 the server was found and has gone, 1 timeout, 2 invalid usage.
"""

import argparse
import json
import queue
import sys

from zeroconf import AddressResolverIPv4, ServiceBrowser, ServiceListener, Zeroconf

SERVICE = "_halloo._tcp.local."


class Changes(ServiceListener):
    """Puts the events of the browser into a queue."""

    def __init__(self):
        self.queue = queue.Queue()

    def add_service(self, zc, kind, name):
        self.queue.put(("found", name))

    def update_service(self, zc, kind, name):
        self.queue.put(("updated", name))

    def remove_service(self, zc, kind, name):
        self.queue.put(("gone", name))


def report(**event):
    print(json.dumps(event), flush=True)


def describe(zc, name, timeout):
    """Prints the service, with the addresses of its host from a query of their own."""
    info = zc.get_service_info(SERVICE, name, timeout=timeout * 1000)
    host = AddressResolverIPv4(info.server)
    host.request(zc, timeout * 1000)
    txt = {key.decode(): value.decode() for key, value in info.properties.items()}
    report(
        event="found",
        name=name.removesuffix("." + SERVICE),
        port=info.port,
        txt=txt,
        host=info.server,
        addresses=host.parsed_addresses(),
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("address", help="address of the interface to search through")
    parser.add_argument("timeout", type=int, help="seconds to wait for each step")
    arguments = parser.parse_args()
    changes = Changes()
    with Zeroconf(interfaces=[arguments.address]) as zc:
        ServiceBrowser(zc, SERVICE, changes)
        report(event="searching")
        try:
            while True:
                event, name = changes.queue.get(timeout=arguments.timeout)
                if event == "found":
                    describe(zc, name, arguments.timeout)
                elif event == "gone":
                    report(event="gone", name=name.removesuffix("." + SERVICE))
                    return 0
        except queue.Empty:
            print(f"no event within {arguments.timeout} s", file=sys.stderr)
            return 1


if __name__ == "__main__":
    sys.exit(main())
