"""The live list of servers against the program ``halloo``, whose path is in ``HALLOO_PROGRAM``. Everything happens on
loopback."""

import socket
import threading
import unittest
from typing import Callable, List

import halloo
from support import PROGRAM, TIMEOUT, Server, descriptors, unused_port


@unittest.skipUnless(PROGRAM, "HALLOO_PROGRAM is not set")
class BrowserTest(unittest.TestCase):
    def setUp(self) -> None:
        self.discovery_port = unused_port(socket.SOCK_DGRAM)

    def serve(self, name: str, *arguments: str) -> Server:
        server = Server(self.discovery_port, name, *arguments)
        self.addCleanup(server.kill)
        return server

    def browse(self, **options: object) -> halloo.Browser:
        browser = halloo.Browser(local=True, discovery_port=self.discovery_port, **options)  # type: ignore[arg-type]
        self.addCleanup(browser.close)
        return browser

    def next_of(
        self, browser: halloo.Browser, kind: str, is_meant: Callable[[halloo.ServerInfo], bool] = lambda server: True
    ) -> halloo.ServerInfo:
        while True:
            event = browser.next_event(TIMEOUT)
            if event.kind == kind and is_meant(event.server):
                return event.server

    def test_servers_are_found_updated_and_lost(self) -> None:
        den = self.serve("den", "--meta", "map=desert", "--app", "Tanks")
        browser = self.browse()
        found = self.next_of(browser, "found")
        self.assertEqual((found.name, found.url, found.app), ("den", den.url, "Tanks"))
        with halloo.connect(den.url):
            self.next_of(browser, "updated", lambda server: server.clients == 1)
        den.command("set_meta", meta={"map": "forest"})
        self.next_of(browser, "updated", lambda server: server.meta == {"map": "forest"})
        self.serve("attic")
        self.assertEqual(self.next_of(browser, "found").name, "attic")
        self.assertEqual([server.name for server in browser.servers], ["den", "attic"])
        den.stop()
        self.assertEqual(self.next_of(browser, "lost").name, "den")
        self.assertEqual([server.name for server in browser.servers], ["attic"])

    def test_a_server_that_is_killed_is_lost(self) -> None:
        den = self.serve("den")
        browser = self.browse()
        self.next_of(browser, "found")
        den.kill()
        self.assertEqual(self.next_of(browser, "lost").name, "den")

    def test_a_filter_leaves_out_other_applications(self) -> None:
        self.serve("attic", "--app", "Chess")
        self.serve("den", "--app", "Tanks")
        browser = self.browse(app="tanks")
        self.assertEqual(self.next_of(browser, "found").name, "den")
        self.assertEqual([server.name for server in browser.servers], ["den"])

    def test_events_that_are_not_taken_are_merged_one_per_server(self) -> None:
        browser = self.browse()
        watcher = self.browse()
        den = self.serve("den")
        self.next_of(watcher, "found")
        den.command("set_meta", meta={"map": "forest"})
        self.next_of(watcher, "updated")
        den.stop()
        self.next_of(watcher, "lost")
        attic = self.serve("attic")
        self.next_of(watcher, "found")
        self.assertEqual(browser.next_event(TIMEOUT).server.url, attic.url, "the other one was found and lost meanwhile")

    def test_an_iteration_ends_by_its_timeout_by_close_and_when_it_is_told(self) -> None:
        self.assertEqual(list(self.browse(timeout=0.05)), [])
        with self.assertRaises(TimeoutError):
            self.browse().next_event(0.01)
        stop = threading.Event()
        for end in (stop.set, None):
            browser = self.browse(stop=stop if end else None)
            events: List[halloo.BrowserEvent] = []
            reader = threading.Thread(target=events.extend, args=(browser,))
            reader.start()
            (end or browser.close)()
            reader.join(TIMEOUT)
            self.assertFalse(reader.is_alive())
            with self.assertRaises(halloo.Closed):
                browser.next_event()
            self.assertEqual((events, browser.error), ([], None))

    def test_many_lists_leave_nothing_behind(self) -> None:
        self.browse().close()
        before = (threading.active_count(), descriptors())
        for _ in range(50):
            with self.browse():
                pass
        self.assertEqual((threading.active_count(), descriptors()), before)


if __name__ == "__main__":
    unittest.main()
