"""The interface of ``halloo`` over ``halloo.aio``, so that the same tests run with both kinds of link."""

import asyncio
import contextlib
import threading
from typing import Any, Callable, Coroutine, Iterator, List, Sequence, Tuple, TypeVar, Union

import halloo
import halloo.aio

TIMEOUT = 30
_T = TypeVar("_T")
Message = Union[str, bytes]


class Bridge:
    """An event loop on a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        # It is slow, and every call of a test goes through the loop.
        self._loop.set_debug(False)
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(TIMEOUT)

    def close(self) -> None:
        left = self.run(self._others())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        assert not left, left

    async def _others(self) -> List["asyncio.Task[Any]"]:
        return [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]

    def connect(self, target: Any = None, **options: Any) -> "BridgedLink":
        return BridgedLink(self, self.run(self._connect(target, options)))

    async def _connect(self, target: Any, options: Any) -> halloo.aio.Link:
        return await halloo.aio.connect(target, **options)

    def discover(self, *arguments: Any, **options: Any) -> List[halloo.ServerInfo]:
        return self.run(halloo.aio.discover(*arguments, **options))

    def find(self, *arguments: Any, **options: Any) -> List[halloo.ServerInfo]:
        return self.run(halloo.aio.find(*arguments, **options))

    def stop_event(self) -> Tuple[asyncio.Event, Callable[[], object]]:
        """Return an event for ``stop``, and a function that sets it."""

        async def make() -> asyncio.Event:
            # In the loop, which it belongs to in Python 3.9.
            return asyncio.Event()

        event = self.run(make())
        return event, lambda: self._loop.call_soon_threadsafe(event.set)


class BridgedLink:
    """A link of ``halloo.aio``."""

    def __init__(self, bridge: Bridge, link: halloo.aio.Link) -> None:
        self._bridge, self._link = bridge, link

    def __getattr__(self, name: str) -> Any:
        return getattr(self._link, name)

    def send(self, message: Message) -> str:
        return self._bridge.run(self._link.send(message))

    def send_all(self, messages: Sequence[Message]) -> List[str]:
        """Send all in one call, because each call goes through the loop."""

        async def send_all() -> List[str]:
            return [await self._link.send(message) for message in messages]

        return self._bridge.run(send_all())

    def recv(self, timeout: Any = None) -> Message:
        return self._bridge.run(self._link.recv(timeout))

    def wait_connected(self, timeout: Any = None) -> bool:
        return self._bridge.run(self._link.wait_connected(timeout))

    def close(self, *arguments: Any) -> None:
        self._bridge.run(self._link.close(*arguments))

    def __iter__(self) -> Iterator[Message]:
        with contextlib.suppress(halloo.Closed):
            while True:
                yield self.recv()

    def __enter__(self) -> "BridgedLink":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
