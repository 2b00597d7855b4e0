"""The list of servers without a socket: what the vectors do not show."""

import ast
import json
import unittest
from functools import partial
from pathlib import Path
from typing import List

from halloo import InvalidTarget, _browser_core
from halloo._browser_core import MAX_SERVERS, CheckResult, Core
from halloo._browser_core.proofs import MAX_PENDING
from halloo._datagrams import Address

PURE = {"collections", "dataclasses", "enum", "functools", "hashlib", "hmac", "ipaddress", "math", "random", "typing"}
NONCE = "b64e21"


def new_core(app: str = "") -> Core:
    return Core(NONCE, bytes(16), 8766, app=app or None)


def beacon(id: str, port: int = 8765, **keys: object) -> bytes:
    return json.dumps({"service": "websocket_server", "port": port, "id": id, "name": id, **keys}).encode()


def reply(nonce: str, id: str, port: int = 8765, **keys: object) -> bytes:
    seen = {"service": "websocket_server_reply", "nonce": nonce, "port": port, "id": id, "name": id, **keys}
    return json.dumps(seen).encode()


def take_changes(core: Core) -> List[str]:
    return [f"{change.kind} {change.server.id}" for change in iter(core.poll_change, None)]


def prove(core: Core, id: str, sender: Address, now: float) -> None:
    """Answer the probe that the core sends to this address."""
    for probe in iter(lambda: core.poll_probe(now), None):
        if probe.to is not None and probe.to[0] == sender[0]:
            core.handle_datagram(reply(probe.nonce, id), sender, now)
            return
    raise AssertionError(f"no probe to {sender}")


class BrowserCoreTest(unittest.TestCase):
    def test_it_imports_no_clock_socket_or_thread(self) -> None:
        for file in Path(_browser_core.__file__).parent.glob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Import):
                    self.assertLessEqual({name.name for name in node.names}, PURE, file)
                elif isinstance(node, ast.ImportFrom) and node.level == 0:
                    self.assertIn(node.module, PURE, file)

    def test_forged_beacons_fill_no_table_and_a_server_that_answers_is_listed_beside_them(self) -> None:
        core, probes = new_core(), 0
        for turn in range(50):
            now = turn / 25
            for number in range(turn * 25, turn * 25 + 25):
                core.handle_datagram(beacon(f"forged{number}"), (f"10.{number % 200}.{number // 200}.1", 8766), now)
            core.handle_timeout(now)
            probes += len(list(iter(partial(core.poll_probe, now), None)))
            list(iter(partial(core.poll_check, now), None))
        self.assertLessEqual(len(core.servers), MAX_SERVERS)
        self.assertGreater(len(core.servers), MAX_SERVERS / 2)
        self.assertLessEqual(len(core._proofs._pending), MAX_PENDING)
        self.assertLessEqual(probes, 500 * 2 + 50)
        take_changes(core)
        real = ("192.168.1.5", 8766)
        core.handle_datagram(reply(NONCE, "real"), real, 2.0)
        self.assertNotIn("real", [server.id for server in core.servers], "there is no place")
        prove(core, "real", real, 2.1)
        self.assertIn("real", [server.id for server in core.servers])

    def test_one_source_gets_a_quarter_of_the_free_places(self) -> None:
        core = new_core()
        for port in range(1, 1000):
            core.handle_datagram(beacon(f"forged{port}", port), ("10.0.0.66", 8766), 0.0)
        self.assertLess(len(core.servers), MAX_SERVERS / 4)

    def test_at_most_sixteen_checks_are_in_progress(self) -> None:
        core = new_core()
        for number in range(200):
            core.add_address((f"10.0.{number}.1", 8765))
        started = list(iter(lambda: core.poll_check(0.0), None))
        self.assertLessEqual(len(started), 4, "claimed addresses")
        core.handle_check_result(started[0], CheckResult("no response"), 1.0)
        self.assertEqual(len(list(iter(lambda: core.poll_check(1.0), None))), 1)

    def test_a_filter_reports_only_servers_of_one_application(self) -> None:
        core, sender = new_core("Tanks"), ("10.0.0.5", 8766)
        core.handle_datagram(beacon("a1"), sender, 0.0)
        core.handle_datagram(beacon("b2", app="Chess"), ("10.0.0.6", 8766), 0.0)
        self.assertEqual(take_changes(core), [])
        core.handle_datagram(reply(NONCE, "a1", app="tanks"), sender, 0.1)
        self.assertEqual(take_changes(core), ["found a1"])
        self.assertEqual([server.id for server in core.servers], ["a1"])
        with self.assertRaises(InvalidTarget):
            new_core("\u200b ")

    def test_the_own_server_is_ignored(self) -> None:
        core = Core(NONCE, bytes(16), 8766, ignore="a1")
        core.handle_datagram(beacon("a1"), ("10.0.0.5", 8766), 0.0)
        self.assertEqual(take_changes(core), [])

    def test_a_truncated_reply_does_not_replace_properties_and_the_rest_is_asked_for(self) -> None:
        core, sender = new_core(), ("10.0.0.5", 8766)
        core.handle_datagram(reply(NONCE, "a1", truncated=True, meta={"map": "desert"}), sender, 0.0)
        self.assertEqual(core.poll_check(0.0), ("10.0.0.5", 8765))
        whole = reply("", "a1", meta={"map": "desert", "players": "3"})
        core.handle_check_result(("10.0.0.5", 8765), CheckResult("body", whole), 0.1)
        core.handle_datagram(reply(NONCE, "a1", truncated=True, meta={"map": "desert"}), sender, 0.2)
        self.assertEqual(core.servers[0].meta, {"map": "desert", "players": "3"})

    def test_link_local_addresses_of_two_zones_are_two_servers(self) -> None:
        core = new_core()
        for zone in "23":
            core.handle_datagram(beacon(f"of{zone}"), (f"fe80::1%{zone}", 8766), 0.0)
        self.assertEqual([server.url for server in core.servers], ["ws://[fe80::1%2]:8765", "ws://[fe80::1%3]:8765"])
        prove(core, "of3", ("fe80::1%3", 8766), 0.0)
        self.assertEqual(take_changes(core), ["found of2", "found of3"])


if __name__ == "__main__":
    unittest.main()
