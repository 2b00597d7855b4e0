"""Search, ``Browser`` and ``connect`` on networks with and without IPv4. ``HALLOO_EXPECTED_URL`` says how the URL of a server
called ``den`` begins, which stops when it receives ``stop``. The tests of the program make such networks."""

import os
import unittest
from typing import Tuple

import halloo
from support import TIMEOUT

URL = os.environ.get("HALLOO_EXPECTED_URL", "")


def next_event(browser: halloo.Browser, kind: str) -> Tuple[str, str]:
    while True:
        event = browser.next_event(TIMEOUT)
        if event.kind == kind:
            return event.server.name, event.server.url


@unittest.skipUnless(URL, "HALLOO_EXPECTED_URL is not set")
class NetworksTest(unittest.TestCase):
    def test_a_server_is_found_once_used_and_lost(self) -> None:
        (server,) = halloo.discover(1)
        self.assertEqual((server.name, server.url[: len(URL)]), ("den", URL))
        self.assertEqual(len(server.addresses), 1)
        # The first answer is enough, and it may come from a link-local address.
        self.assertEqual(halloo.find(server.id, TIMEOUT)[0].id, server.id)
        with halloo.Browser() as browser, halloo.connect("den", timeout=TIMEOUT) as link:
            self.assertEqual(next_event(browser, "found")[0], "den")
            link.send("stop")
            # A goodbye from another link-local address of the server is not believed, so it is lost later.
            if not URL.startswith("ws://[fe80"):
                self.assertEqual(next_event(browser, "lost"), ("den", server.url))


if __name__ == "__main__":
    unittest.main()
