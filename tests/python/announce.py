#!/usr/bin/env python3
"""Publishes a service `_halloo._tcp` with DNS-SD, and prints the name that it gets, until standard input ends.

Uses the library `zeroconf`, which is independent of halloo.
"""

import argparse
import socket
import sys

from zeroconf import ServiceInfo, Zeroconf

SERVICE = "_halloo._tcp.local."


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("address", help="address of the interface to publish on")
    parser.add_argument("name", help="name of the service and of its host")
    parser.add_argument("port", type=int, help="TCP port of the service")
    arguments = parser.parse_args()
    with Zeroconf(interfaces=[arguments.address]) as zc:
        info = ServiceInfo(
            SERVICE,
            f"{arguments.name}.{SERVICE}",
            port=arguments.port,
            addresses=[socket.inet_aton(arguments.address)],
            server=f"{arguments.name}.local.",
        )
        zc.register_service(info, allow_name_change=True)
        print(info.name.removesuffix("." + SERVICE), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
