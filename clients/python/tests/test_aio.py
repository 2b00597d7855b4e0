"""``halloo.aio`` against the program ``halloo``: the tests of the other link, and what only asyncio has."""

import asyncio
import socket
import threading
import unittest
from typing import Any, Callable, Dict, List, Sequence, Tuple
from unittest import mock

import halloo
import halloo.aio
import test_serve
from aio_bridge import Bridge
from support import PROGRAM, TIMEOUT, TOKEN, Server, descriptors, unused_port


class SameTestsInAsyncio(test_serve.ServeTest):
    def setUp(self) -> None:
        super().setUp()
        self.api = self.bridge = Bridge()
        self.addCleanup(self.bridge.close)

    def send_all(self, link: Any, messages: Sequence[str]) -> List[str]:
        results: List[str] = link.send_all(messages)
        return results

    def stop_event(self) -> Tuple[Any, Callable[[], object]]:
        return self.bridge.stop_event()


@unittest.skipUnless(PROGRAM, "HALLOO_PROGRAM is not set")
class AsyncioTest(unittest.IsolatedAsyncioTestCase):
    def setUp(self) -> None:
        self.discovery_port = unused_port(socket.SOCK_DGRAM)

    async def asyncSetUp(self) -> None:
        # A warning would stand between the name of a test and its result.
        asyncio.get_running_loop().slow_callback_duration = TIMEOUT

    def serve(self, name: str = "den", *arguments: str) -> Server:
        server = Server(self.discovery_port, name, *arguments)
        self.addCleanup(server.kill)
        return server

    def options(self, **options: Any) -> Dict[str, Any]:
        return {"timeout": TIMEOUT, "local": True, "discovery_port": self.discovery_port, **options}

    def tasks(self) -> List[str]:
        return [task.get_name() for task in asyncio.all_tasks() if task.get_name().startswith("halloo")]

    async def test_it_is_awaited_or_used_as_a_context_manager(self) -> None:
        server = self.serve()
        async with halloo.aio.connect("den", **self.options()) as link:
            self.assertEqual(await link.send("hello"), "sent")
            server.command("send_to_all", text="one")
            server.command("send_to_all", text="two")
            received = []
            async for message in link:
                received.append(message)
                if len(received) == 2:
                    break
            self.assertEqual(received, ["one", "two"])
        self.assertEqual((link.state, link.error), ("closed", None))
        link = await halloo.aio.connect(server.url)
        await link.close()
        self.assertEqual([message async for message in link], [])

    async def test_it_runs_without_a_thread(self) -> None:
        server, before = self.serve(), threading.active_count()
        async with halloo.aio.connect("den", **self.options()), halloo.aio.connect(server.url):
            self.assertEqual(threading.active_count(), before)

    async def test_cancelling_at_every_await_leaves_no_task_and_no_socket(self) -> None:
        server = self.serve("den", "--token", TOKEN)
        # Two connections, for the challenge.
        await self.cancel_after_each_turn(server.url, token=TOKEN)

    async def test_cancelling_at_every_await_of_a_tls_connection(self) -> None:
        server = self.serve("den", "--tls")
        await self.cancel_after_each_turn(server.ready["invitation"])

    async def test_cancelling_in_a_search_and_in_a_pause(self) -> None:
        await self.cancel_after_each_turn("absent", turns=20, search_timeout=0.01)

    async def cancel_after_each_turn(self, target: str, turns: int = 1000, **options: Any) -> None:
        """Cancel after one turn of the loop, after two, and so on, until there is a connection."""
        before = descriptors()
        connected: List[halloo.aio.Link] = []

        async def use() -> None:
            async with halloo.aio.connect(target, **self.options(**options)) as link:
                connected.append(link)
                await link.send("x" * 100_000)
                await link.recv()

        for turn in range(turns):
            task = asyncio.create_task(use())
            for _ in range(turn):
                await self.next_turn()
            task.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await task
            self.assertEqual((self.tasks(), descriptors()), ([], before), f"after {turn} turns")
            if len(connected) == 3:
                return

    async def next_turn(self) -> None:
        """Let the loop wait for one event, such as a packet or a timer, for a short time."""
        loop: Any = asyncio.get_running_loop()
        select = loop._selector.select
        with mock.patch.object(loop._selector, "select", lambda timeout: select(0.002)):
            await asyncio.sleep(0)

    async def test_many_links_at_once_leave_nothing_behind(self) -> None:
        server = self.serve()
        async with halloo.aio.connect(server.url):
            pass
        before = descriptors()

        async def use() -> None:
            async with halloo.aio.connect(server.url, timeout=TIMEOUT) as link:
                await link.send("x")

        await asyncio.gather(*(use() for _ in range(30)))
        self.assertEqual((self.tasks(), descriptors()), ([], before))

    async def test_a_loop_that_sends_lets_the_connection_send(self) -> None:
        server = self.serve()
        async with halloo.aio.connect(server.url, queue=(10, 1 << 20)) as link:
            results = {await link.send(str(number)) for number in range(1000)}
        self.assertEqual(results, {"sent"})
        self.assertEqual([server.event("message")["text"] for _ in range(1000)], [str(number) for number in range(1000)])

    async def test_a_loop_that_cannot_watch_sockets_is_enough(self) -> None:
        server = self.serve("den", "--tls")
        loop = asyncio.get_running_loop()
        with (
            mock.patch.object(loop, "add_reader", side_effect=NotImplementedError),
            mock.patch.object(loop, "add_writer", side_effect=NotImplementedError),
        ):
            async with halloo.aio.connect("den", **self.options(fingerprint=server.ready["fingerprint"])) as link:
                await link.send("hello")
                self.assertEqual(server.event("client_joined")["client"], 1)

    async def test_a_link_that_is_cancelled_with_its_loop_ends(self) -> None:
        server = self.serve()
        link = await halloo.aio.connect(server.url)
        for task in asyncio.all_tasks():
            if task.get_name() == "halloo-link":
                task.cancel()
        with self.assertRaises(halloo.Closed):
            await link.recv(TIMEOUT)
        self.assertEqual(link.state, "closed")


if __name__ == "__main__":
    unittest.main()
