"""A server: the program ``halloo serve --json``, driven by two pipes."""

import atexit
import base64
import json
import logging
import os
import threading
import time
from collections import deque
from typing import Any, Deque, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple, Union

from ._errors import Closed, HallooError, StartFailed
from ._options import MAX_BYTES, MAX_MESSAGES
from ._process import ServerProcess
from ._program import find_program
from ._queue import Message, Queue
from ._server_events import MessageReceived, ServerEvent, read_event

Setting = Union[str, int, float, bool, None, Sequence[str], Mapping[str, str]]

MAX_LINE_BYTES = 8 * 1024 * 1024
_ANSWERS = ("rooms", "status")


class Server:
    """A server, which runs as a process of the program ``halloo`` until ``close``, or until Python ends.

    A context manager, and an iterator of the events: ``ClientJoined``, ``MessageReceived``, ``ClientLeft`` and others.

    ``settings`` are the options of ``halloo serve``, with ``_`` for ``-``: ``max_clients=8``, ``pad=True``,
    ``meta={"map": "desert"}``, ``interfaces=["wlan0"]``. ``token`` is passed on unseen by other users; ``True`` is a random
    one. ``program`` is the path of the program; without it, it is that of the package halloo-bin, else the one on ``PATH``.

    The log of the server goes to ``sys.stderr``, or to ``log``. ``queue`` limits the events, and their bytes, that wait for
    the application, and the commands that wait for the server. When ``stop`` is set, the server stops.

    Raises ``ProgramNotFound``, or ``StartFailed`` if the server is not ready within ``timeout`` seconds.
    """

    def __init__(
        self,
        name: Optional[str] = None,
        *,
        port: Optional[int] = None,
        token: Union[str, bool] = False,
        program: Optional[str] = None,
        log: Optional[logging.Logger] = None,
        stop: Optional[threading.Event] = None,
        queue: Tuple[int, int] = (MAX_MESSAGES, MAX_BYTES),
        timeout: float = 10.0,
        **settings: Setting,
    ) -> None:
        command = [program or find_program(), "serve", "--json", "--exit-with-stdin"]
        command += to_arguments({"name": name, "port": port, "token": token is True, **settings})
        environment = dict(os.environ)
        if isinstance(token, str):
            environment["HALLOO_TOKEN"] = token
        self._changed = threading.Condition()
        self._events: Deque[Tuple[ServerEvent, int]] = deque()
        self._max_events, self._max_bytes = queue
        self._bytes = 0
        self._answers: Dict[str, Deque["_Answer"]] = {kind: deque() for kind in _ANSWERS}
        self._ready: Mapping[str, Any] = {}
        self._is_closing, self._has_ended = False, False
        #: Why the server has ended; ``None`` while it has not, and after ``close``.
        self.error: Optional[HallooError] = None
        self._process = ServerProcess(command, environment, Queue(*queue), self._handle, log, stop)
        self._process.start()
        atexit.register(self.close)
        self._wait_ready(timeout)

    @property
    def port(self) -> int:
        """The port on which it listens."""
        return int(self._ready["port"])

    @property
    def discovery_port(self) -> int:
        """The UDP port on which it is found; 0 if it cannot be found."""
        return int(self._ready["discovery_port"])

    @property
    def urls(self) -> List[str]:
        """Its addresses, best first."""
        return list(self._ready["urls"])

    @property
    def url(self) -> str:
        """The first of its addresses."""
        return self.urls[0]

    @property
    def page_url(self) -> str:
        """The address of its page, without secrets."""
        return str(self._ready["page_url"])

    @property
    def invitation(self) -> str:
        """The same with the token and the fingerprint, which grants access."""
        return str(self._ready["invitation"])

    @property
    def secure_invitation(self) -> Optional[str]:
        """The invitation for TLS, if TLS is optional."""
        return self._ready.get("secure_invitation")

    @property
    def app(self) -> Optional[str]:
        """Its application id."""
        return self._ready.get("app")

    @property
    def token(self) -> Optional[str]:
        """The token that clients need."""
        return self._ready.get("token")

    @property
    def fingerprint(self) -> Optional[str]:
        """The fingerprint of its certificate."""
        return self._ready.get("fingerprint")

    @property
    def pid(self) -> int:
        """The id of its process."""
        return self._process.pid

    def send(self, client: int, message: Message) -> str:
        """Send a text or bytes to a client. Return ``queued``, or ``full``: then nothing happened. Raises ``Closed`` after the
        end. A command that fails later is reported as ``ErrorReported``."""
        return self._command("send", client=client, **_content(message))

    def send_to_all(self, message: Message) -> str:
        """Send a text or bytes to all clients."""
        return self._command("send_to_all", **_content(message))

    def send_to_room(self, room: str, message: Message) -> str:
        """Send a text or bytes to all clients in a room."""
        return self._command("send_to_room", room=room, **_content(message))

    def join(self, client: int, room: str) -> str:
        """Add a client to a room."""
        return self._command("join", client=client, room=room)

    def leave(self, client: int, room: str) -> str:
        """Remove a client from a room."""
        return self._command("leave", client=client, room=room)

    def disconnect(self, client: int, code: int = 1000, reason: str = "") -> str:
        """Disconnect a client, with 1000 or a code from 3000 to 4999, and a reason of at most 123 bytes."""
        return self._command("disconnect", client=client, code=code, reason=reason)

    def set_meta(self, meta: Mapping[str, str]) -> str:
        """Replace the properties that lists of servers show."""
        return self._command("set_meta", meta=dict(meta))

    def broadcast_now(self) -> str:
        """Announce the server at once, if discovery is on."""
        return self._command("broadcast_now")

    def start_discovery(self) -> str:
        """Switch discovery on."""
        return self._command("start_discovery")

    def stop_discovery(self) -> str:
        """Switch discovery off."""
        return self._command("stop_discovery")

    def rooms(self, timeout: float = 5.0) -> Dict[str, int]:
        """Return the rooms, and the number of clients in each."""
        return {room["room"]: room["clients"] for room in self._ask("rooms", timeout)["rooms"]}

    def status(self, timeout: float = 5.0) -> Dict[str, Any]:
        """Return the status object."""
        return self._ask("status", timeout)

    def wait_event(self, timeout: Optional[float] = None) -> ServerEvent:
        """Return the next event. Raises ``TimeoutError`` if there is none within ``timeout`` seconds, and ``Closed`` after the
        end."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._events or self._has_ended, timeout):
                raise TimeoutError(f"no event within {timeout} s")
            if not self._events:
                raise self._closed_error()
            event, size = self._events.popleft()
            self._bytes -= size
            self._changed.notify_all()
            return event

    def __iter__(self) -> Iterator[ServerEvent]:
        """Yield the events until the server has ended; ``error`` says why."""
        while True:
            try:
                yield self.wait_event()
            except Closed:
                return

    def close(self) -> None:
        """Send what waits, stop the server, and wait for its end. It does nothing the second time."""
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()
        self._process.close()
        atexit.unregister(self.close)

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _wait_ready(self, timeout: float) -> None:
        try:
            with self._changed:
                self._changed.wait_for(lambda: self._ready or self._has_ended, timeout)
                if self._ready:
                    return
                late = f"the server was not ready within {timeout} s; allow more time with `timeout`"
                reason = str(self.error) if self.error else late
            raise StartFailed(reason)
        except BaseException:
            self.close()
            raise

    def _command(self, cmd: str, **keys: object) -> str:
        line = json.dumps({"cmd": cmd, **keys}, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        if len(line) > MAX_LINE_BYTES:
            raise ValueError(f"the command has {len(line)} bytes of at most {MAX_LINE_BYTES}; send a smaller message")
        if self._has_ended:
            raise self._closed_error()
        return "queued" if self._process.write(line) else "full"

    def _ask(self, kind: str, timeout: float) -> Dict[str, Any]:
        answer = _Answer()
        deadline = time.monotonic() + timeout
        with self._changed:
            # In the order of the commands.
            if self._command(kind) == "full":
                raise TimeoutError("too many commands are queued; try again later")
            self._answers[kind].append(answer)
            self._changed.notify_all()
            self._changed.wait_for(lambda: answer.keys or self._has_ended, deadline - time.monotonic())
            if answer.keys:
                return answer.keys
            # It stays in the list, for the answer that may still arrive.
            answer.is_given_up = True
            if self._has_ended:
                raise self._closed_error()
        raise TimeoutError(f"no answer within {timeout} s; take the events that wait, or allow more time")

    def _closed_error(self) -> Closed:
        return Closed(f"the server has ended: {self.error}" if self.error else "the server is closed")

    # On the thread that reads events.

    def _handle(self, keys: Dict[str, Any]) -> None:
        kind = keys.pop("event", None)
        if kind == "ended":
            failure = self._process.failure()
            with self._changed:
                self.error = HallooError(failure) if failure and not self._is_closing else None
                self._has_ended = True
                self._changed.notify_all()
        elif kind == "ready":
            with self._changed:
                self._ready = keys
                self._changed.notify_all()
        elif kind in _ANSWERS:
            with self._changed:
                if self._answers[kind]:
                    self._answers[kind].popleft().keys = keys
                    self._changed.notify_all()
        else:
            event = read_event(kind, keys)
            if event is not None:
                self._append(event, len(event.message) if isinstance(event, MessageReceived) else 0)

    def _append(self, event: ServerEvent, size: int) -> None:
        with self._changed:
            # While nothing is read, the server does not read from its clients, and TCP slows them.
            self._changed.wait_for(lambda: self._is_closing or self._has_room(size))
            if not self._is_closing:
                self._events.append((event, size))
                self._bytes += size
                self._changed.notify_all()

    def _has_room(self, size: int) -> bool:
        """Return whether an event may be queued: also twice as many while an answer, which comes after them, is awaited."""
        is_awaited = any(not answer.is_given_up for answers in self._answers.values() for answer in answers)
        factor = 2 if is_awaited else 1
        events, total = len(self._events), self._bytes + size
        return not events or (events < factor * self._max_events and total <= factor * self._max_bytes)


class _Answer:
    """The answer to one command."""

    def __init__(self) -> None:
        self.keys: Dict[str, Any] = {}
        self.is_given_up = False


def to_arguments(settings: Mapping[str, Setting]) -> List[str]:
    """Return the options of the command line for settings."""
    arguments = []
    for key, value in settings.items():
        option = "--" + key.replace("_", "-")
        if value is None or value is False:
            continue
        if value is True:
            arguments.append(option)
        elif isinstance(value, Mapping):
            arguments += [f"{option}={name}={text}" for name, text in value.items()]
        elif isinstance(value, (str, int, float)):
            arguments.append(f"{option}={value}")
        else:
            arguments += [f"{option}={one}" for one in value]
    return arguments


def _content(message: Message) -> Dict[str, str]:
    if isinstance(message, str):
        return {"text": message}
    return {"binary": base64.b64encode(message).decode()}
