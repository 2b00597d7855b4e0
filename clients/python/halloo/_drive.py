"""One code for both kinds of link: coroutines that wait only through ``Wait``, which blocks a thread or suspends a task."""

from typing import Any, Coroutine, Protocol, Tuple, TypeVar

from ._wait import Sockets, Waiter, ready

_T = TypeVar("_T")


class Wait(Protocol):
    """Waits for sockets."""

    async def wait(self, readers: Sockets, writers: Sockets, timeout: float) -> Tuple[Sockets, Sockets]:
        """Return the sockets that are ready, after at most ``timeout`` seconds, and earlier without any if it is woken."""

    def wake(self) -> None:
        """End the current wait, or the next one, from any thread."""


class BlockingWait:
    """Blocks the thread, so a coroutine that waits with it never suspends."""

    def __init__(self, waiter: Waiter) -> None:
        self._waiter = waiter

    async def wait(self, readers: Sockets, writers: Sockets, timeout: float) -> Tuple[Sockets, Sockets]:
        """Return the sockets that are ready. Raises ``Aborted``."""
        return self._waiter.wait(readers, writers, timeout)

    def wake(self) -> None:
        """End the current wait, or the next one."""
        self._waiter.wake()


class SelectWait:
    """Blocks the thread, and cannot be woken."""

    async def wait(self, readers: Sockets, writers: Sockets, timeout: float) -> Tuple[Sockets, Sockets]:
        """Return the sockets that are ready."""
        return ready(readers, writers, timeout)

    def wake(self) -> None:
        """Do nothing."""


def run_blocking(coroutine: Coroutine[Any, Any, _T]) -> _T:
    """Run a coroutine that never suspends, and return its result."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        result: _T = done.value
        return result
    coroutine.close()
    raise RuntimeError("the coroutine has suspended, although its waits block")
