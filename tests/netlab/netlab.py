#!/usr/bin/env python3
"""Measures discovery in network namespaces and prints a table.

`cargo xtask netlab` builds `halloo` and runs this script in a namespace.
Exit codes: 0 all limits are met, 1 a limit is not met, 2 invalid usage.
"""

import argparse
import sys

import cases

CASES = [
    ("search", lambda runs: cases.start_to_found(runs)),
    ("ipv6", lambda runs: cases.without_ipv4(max(1, runs // 4))),
    ("loss", lambda runs: cases.loss(max(1, runs // 2))),
    ("networks", lambda runs: cases.three_networks()),
    ("changes", lambda runs: cases.network_comes(max(1, runs // 10))),
    ("servers", lambda runs: cases.two_servers(max(1, runs // 2))),
    ("lost", lambda runs: cases.lost(max(1, runs // 20))),
    ("browsers", lambda runs: cases.many_browsers()),
    ("traffic", lambda runs: cases.idle_traffic()),
    ("replies", lambda runs: cases.replies()),
    ("foreign", lambda runs: cases.foreign(max(1, runs // 10))),
    ("noise", lambda runs: cases.noise()),
]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=200, help="searches in the first case; the other cases scale with it")
    names = [name for name, _ in CASES]
    parser.add_argument("only", nargs="*", metavar="CASE", help=f"{', '.join(names)}; all cases if none is given")
    arguments = parser.parse_args()
    if unknown := set(arguments.only) - set(names):
        parser.error(f"no such case: {', '.join(unknown)}")
    all_met = True
    print("| case | figure | limit | |\n|---|---|---|---|", flush=True)
    for name, case in CASES:
        if arguments.only and name not in arguments.only:
            continue
        for what, figure, limit, met in case(arguments.runs):
            all_met &= met
            print(f"| {what} | {figure} | {limit} | {'ok' if met else 'NOT MET'} |", flush=True)
    return 0 if all_met else 1


if __name__ == "__main__":
    sys.exit(main())
