#!/usr/bin/env python3
"""Looks for a halloo server by DNS-SD and tells what it sees, one JSON object a line, until the server is gone.

Uses the zeroconf library, which knows nothing of halloo.
Exit codes: 0 seen and gone again, 1 not in time, 2 wrong usage.
"""

import argparse
import json
import queue
import sys

from zeroconf import AddressResolverIPv4, ServiceBrowser, ServiceListener, Zeroconf

SERVICE = "_halloo._tcp.local."


class Changes(ServiceListener):
    """Puts what the browser tells into a queue."""

    def __init__(self):
        self.queue = queue.Queue()

    def add_service(self, zc, kind, name):
        self.queue.put(("found", name))

    def update_service(self, zc, kind, name):
        self.queue.put(("updated", name))

    def remove_service(self, zc, kind, name):
        self.queue.put(("gone", name))


def tell(**what):
    print(json.dumps(what), flush=True)


def describe(zc, name, patience):
    """The service, and where its host is by a question of its own."""
    info = zc.get_service_info(SERVICE, name, timeout=patience * 1000)
    host = AddressResolverIPv4(info.server)
    host.request(zc, patience * 1000)
    txt = {key.decode(): value.decode() for key, value in info.properties.items()}
    tell(
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
    parser.add_argument("patience", type=int, help="seconds to wait for each step")
    arguments = parser.parse_args()
    changes = Changes()
    with Zeroconf(interfaces=[arguments.address]) as zc:
        ServiceBrowser(zc, SERVICE, changes)
        tell(event="searching")
        try:
            while True:
                event, name = changes.queue.get(timeout=arguments.patience)
                if event == "found":
                    describe(zc, name, arguments.patience)
                elif event == "gone":
                    tell(event="gone", name=name.removesuffix("." + SERVICE))
                    return 0
        except queue.Empty:
            print(f"nothing within {arguments.patience} s", file=sys.stderr)
            return 1


if __name__ == "__main__":
    sys.exit(main())
