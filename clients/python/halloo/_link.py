"""A connection that lasts: it finds its server, and connects again after a failure."""

import ipaddress
import os
import secrets
import socket
import threading
import time
from typing import Callable, Iterator, List, NamedTuple, Optional, Sequence, Set, Tuple, Union

from ._connection import Ask, Challenged, Connection, check_response
from ._datagrams import Address, format_address
from ._dial import TIMEOUT, Failed, dial, resolve, secure
from ._endings import Backoff, Certainty, Ending, is_final_code
from ._errors import Ambiguous, Closed, ConnectFailed, HallooError, NotFound
from ._names import escape
from ._proof import Exchange, exchange
from ._queue import Message, Queue
from ._search import DISCOVERY_PORT, Search, ServerInfo, own_addresses
from ._target import DEFAULT_PORT, Target, Url, check_token, hide_token, in_room, read_fingerprint, read_target, room_path
from ._wait import Aborted, Waiter

__all__ = ["Event", "Link", "check_response", "connect"]

MAX_MESSAGES, MAX_BYTES, MAX_MESSAGE_BYTES = 16_384, 16 * 1024 * 1024, 1024 * 1024
_MAX_CHALLENGES = 2
_JOIN_TIMEOUT = 5.0


class Event(NamedTuple):
    """What happened to a link: ``connected`` (with the address), ``disconnected`` (with code and reason), ``failed`` (an
    attempt, with the reason), or ``closed`` for good (with the reason). ``pause`` is the time to the next attempt."""

    kind: str
    reason: str = ""
    url: str = ""
    code: Optional[int] = None
    pause: Optional[float] = None


def connect(
    target: Union[str, ServerInfo, None] = None,
    *,
    token: Optional[str] = None,
    fingerprint: Optional[str] = None,
    room: Optional[str] = None,
    subprotocols: Sequence[str] = (),
    app: Optional[str] = None,
    timeout: float = 10.0,
    search_timeout: float = 3.0,
    reconnect: bool = True,
    max_attempts: Optional[int] = None,
    max_elapsed: Optional[float] = None,
    queue: Tuple[int, int] = (MAX_MESSAGES, MAX_BYTES),
    max_message_bytes: int = MAX_MESSAGE_BYTES,
    stop: Optional[threading.Event] = None,
    on_event: Optional[Callable[[Event], None]] = None,
    local: bool = False,
    discovery_port: int = DISCOVERY_PORT,
) -> "Link":
    """Connect to a server and stay connected to it.

    ``target`` is the name of a server, its id, an address, an invitation link, or what ``discover`` returned. Without it, it
    is the only server on the network.

    Waits for the first connection for at most ``timeout`` seconds; 0 returns at once. The token comes from ``token``, else
    from the link, else from ``HALLOO_TOKEN``. ``max_attempts`` and ``max_elapsed`` limit the attempts in a row without a
    connection of 10 s; the default is no limit. ``queue`` limits the messages, and their bytes, that wait in either
    direction. When ``stop`` is set, the link ends at once, without sending what waits. ``on_event`` is called on the thread
    of the link, so it must not block. ``local`` searches on this machine only.

    Raises ``HallooError`` if it does not connect in time or is refused; the link is closed then.
    """
    link = Link(
        target, token, fingerprint, room, subprotocols, app, search_timeout, reconnect, max_attempts, max_elapsed, queue,
        max_message_bytes, stop, on_event, local, discovery_port,
    )
    if timeout > 0 and not link.wait_connected(timeout):
        reason = link.error or link.last_failure or ConnectFailed(f"no connection within {timeout} s")
        link.close()
        raise reason
    return link


class Link:
    """Made by ``connect``. A context manager, and an iterator of the messages: ``str`` for text, ``bytes`` for binary."""

    def __init__(
        self,
        target: Union[str, ServerInfo, None],
        token: Optional[str],
        fingerprint: Optional[str],
        room: Optional[str],
        subprotocols: Sequence[str],
        app: Optional[str],
        search_timeout: float,
        reconnect: bool,
        max_attempts: Optional[int],
        max_elapsed: Optional[float],
        queue: Tuple[int, int],
        max_message_bytes: int,
        stop: Optional[threading.Event],
        on_event: Optional[Callable[[Event], None]],
        local: bool,
        discovery_port: int,
    ) -> None:
        self._target = Target(None, None)
        self._server: Optional[ServerInfo] = None
        if isinstance(target, ServerInfo):
            self._server = target
        elif target is not None:
            self._target = read_target(target)
        url = self._target.url
        given = token or (url.token if url else None) or os.environ.get("HALLOO_TOKEN")
        self._token = check_token(given) if given else None
        self._fingerprint = read_fingerprint(fingerprint) if fingerprint else (url.fingerprint if url else None)
        if room is not None:
            room_path(room)
        self._room, self._subprotocols, self._app = room, tuple(subprotocols), app
        self._search_timeout, self._local, self._discovery_port = search_timeout, local, discovery_port
        self._reconnect, self._max_message_bytes, self._on_event = reconnect, max_message_bytes, on_event
        attempts = max_attempts if reconnect else 1
        self._backoff = Backoff(time.monotonic(), attempts, max_elapsed)
        self._is_fixed = url is not None and self._target.name is None
        self._is_secure = bool(self._fingerprint) or (self._server is not None and self._server.tls)
        self._known: List[Address] = self._candidates(self._server) if self._server else []
        self._answered: Set[Address] = set()
        self._confirms: Optional[str] = None
        self._certainty = Certainty()
        self._waiter = Waiter(stop)
        self._changed = threading.Condition()
        self._outbox, self._inbox = Queue(*queue), Queue(*queue)
        self._state = "searching"
        self._url: Optional[str] = None
        self._closing: Optional[Tuple[int, str]] = None
        self._subprotocol: Optional[str] = None
        self._lost = 0
        #: Why the link is closed for good; ``None`` while it is not, and after ``close``.
        self.error: Optional[HallooError] = None
        #: Why the last attempt failed.
        self.last_failure: Optional[HallooError] = None
        self._thread = threading.Thread(target=self._run, name="halloo-link", daemon=True)
        self._thread.start()

    @property
    def state(self) -> str:
        """``searching``, ``connecting``, ``connected``, ``waiting`` for the next attempt, or ``closed`` for good."""
        return self._state

    @property
    def url(self) -> Optional[str]:
        """The address of the server, while there is a connection."""
        return self._url

    @property
    def subprotocol(self) -> Optional[str]:
        """The subprotocol that the server chose."""
        return self._subprotocol

    @property
    def pending(self) -> int:
        """How many messages wait to be sent."""
        return len(self._outbox)

    @property
    def lost(self) -> int:
        """How many messages were dropped when the link was closed."""
        return self._lost

    def send(self, message: Message) -> str:
        """Send a text or bytes. Return ``sent``, ``queued`` while there is no connection, or ``full``: then nothing
        happened. Raises ``Closed`` after the end."""
        if not isinstance(message, (str, bytes)):
            message = bytes(message)
        with self._changed:
            if self._state == "closed" or self._closing is not None:
                raise self._closed_error()
            if not self._outbox.push(message):
                return "full"
            result = "sent" if self._state == "connected" else "queued"
        self._waiter.wake()
        return result

    def recv(self, timeout: Optional[float] = None) -> Message:
        """Return the next message. Raises ``TimeoutError`` if there is none within ``timeout`` seconds, and ``Closed`` when the
        link is closed for good."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._inbox) or self._state == "closed", timeout):
                raise TimeoutError(f"no message within {timeout} s")
            was_full = self._inbox.is_full()
            message = self._inbox.pop()
            if message is None:
                raise self._closed_error()
        if was_full:
            self._waiter.wake()
        return message

    def __iter__(self) -> Iterator[Message]:
        """Yield the messages until the link is closed for good; ``error`` says why."""
        while True:
            try:
                yield self.recv()
            except Closed:
                return

    def wait_connected(self, timeout: Optional[float] = None) -> bool:
        """Wait until there is a connection, and return whether there is one."""
        with self._changed:
            self._changed.wait_for(lambda: self._state in ("connected", "closed"), timeout)
            return self._state == "connected"

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Send what waits if there is a connection, close it, and wait for the end of the thread. It does nothing the second
        time."""
        with self._changed:
            if self._closing is None:
                self._closing = (code, reason)
            is_connected = self._state == "connected"
        if is_connected:
            self._waiter.wake()
        else:
            self._waiter.abort()
        if threading.current_thread() is not self._thread:
            self._thread.join(_JOIN_TIMEOUT)
            if self._thread.is_alive():
                # The server accepts nothing.
                self._waiter.abort()
                self._thread.join()

    def __enter__(self) -> "Link":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # What the connection needs.

    def next_message(self) -> Optional[Message]:
        """For the connection."""
        with self._changed:
            return self._outbox.pop()

    def has_messages(self) -> bool:
        """For the connection."""
        return len(self._outbox) > 0

    def handle_message(self, message: Message) -> None:
        """For the connection. Messages that were read with the last one may exceed the limit."""
        with self._changed:
            self._inbox.append(message)
            self._changed.notify_all()

    def can_read(self) -> bool:
        """For the connection."""
        return not self._inbox.is_full()

    def closing(self) -> Optional[Tuple[int, str]]:
        """For the connection."""
        return self._closing

    # The thread of the link.

    def _run(self) -> None:
        error: Optional[HallooError] = None
        try:
            while self._closing is None:
                error, pause = self._attempt()
                if pause is None:
                    break
                error = None
                self._pause(pause)
        except Aborted:
            error = None
        except Exception as failure:  # noqa: BLE001 - a link must not end in silence
            error = HallooError(f"the link failed: {failure!r}; this is a bug")
        finally:
            self._finish(error)

    def _finish(self, error: Optional[HallooError]) -> None:
        with self._changed:
            self.error = error if self._closing is None else None
            self._lost += len(self._outbox)
            self._state, self._url = "closed", None
            self._changed.notify_all()
        self._waiter.close()
        self._emit(Event("closed", str(error or "")))

    def _emit(self, event: Event) -> None:
        if self._on_event is not None:
            self._on_event(event)

    def _set_state(self, state: str) -> None:
        with self._changed:
            self._state = state
            self._changed.notify_all()

    def _closed_error(self) -> Closed:
        if isinstance(self.error, Closed):
            return Closed(str(self.error), self.error.code, self.error.reason)
        return Closed(f"the link is closed: {self.error}" if self.error else "the link is closed")

    def _pause(self, pause: float) -> None:
        self._set_state("waiting")
        end = time.monotonic() + pause
        while time.monotonic() < end:
            self._waiter.wait((), (), end - time.monotonic())

    def _attempt(self) -> Tuple[HallooError, Optional[float]]:
        """Connect, and move messages until the connection ends. Return why it ended, and the pause before the next attempt,
        or ``None`` if there is none."""
        self._answered = set()
        try:
            connection, url = self._connect()
        except Failed as failure:
            self.last_failure = failure.error
            known = self._certainty
            pause = None if failure.ending.is_final(known) else self._backoff.handle_failure(time.monotonic())
            if pause is not None:
                self._emit(Event("failed", str(failure.error), pause=pause))
            return failure.error, pause
        try:
            self._backoff.handle_connected(time.monotonic())
            with self._changed:
                self._state, self._url, self._subprotocol = "connected", url.shown, connection.subprotocol
                self._changed.notify_all()
            self._emit(Event("connected", url=url.shown))
            code, reason = connection.run(self)
        finally:
            connection.close()
            with self._changed:
                self._url = None
        reason = escape(reason)
        now = time.monotonic()
        known = self._certainty._replace(stable=self._backoff.is_stable(now))
        is_final = Ending("closed", code).is_final(known)
        if is_final_code(code) and not is_final:
            self._known = []
        is_over = is_final or self._closing is not None or not self._reconnect
        pause = None if is_over else self._backoff.handle_failure(now)
        self._emit(Event("disconnected", reason, code=code, pause=pause))
        message = f"the connection was closed with {code}" + (f": {reason}" if reason else "")
        return Closed(message, code, reason), pause

    def _connect(self) -> Tuple[Connection, Url]:
        self._certainty = Certainty(given=self._is_fixed)
        has_searched = False
        addresses = list(self._known)
        if not addresses:
            addresses, has_searched = self._locate(), True
        failure: Optional[Failed] = None
        while True:
            while addresses:
                try:
                    one, address, addresses = self._dial(addresses)
                except Failed as failed:
                    failure, addresses = failed if failure is None else failure, []
                    break
                try:
                    return self._handshake(one, address)
                except Failed as failed:
                    failure = failed
                    known = self._certainty_at(address, failed.named_id)._replace(others=bool(addresses))
                    self._certainty = known
                    if failed.ending.is_final(known):
                        raise
            if has_searched or self._is_fixed:
                assert failure is not None
                raise failure
            addresses, has_searched = self._locate(), True
            if not addresses and failure is not None:
                raise failure

    def _certainty_at(self, address: Address, named_id: Optional[str]) -> Certainty:
        is_named = named_id is not None and self._server is not None
        if is_named:
            is_found = self._server is not None and named_id == self._server.id and bool(self._answered)
        else:
            is_found = address in self._answered
        return Certainty(given=self._is_fixed, found=is_found)

    def _locate(self) -> List[Address]:
        url = self._target.url
        if url is not None:
            host = f"{url.host}%{url.zone}" if url.zone else url.host
            if _is_ip(url.host) and not url.zone:
                return [(url.host, url.port)]
            addresses = resolve(host, url.port, self._waiter)
            if addresses:
                # It is an address from now on, as long as it has one.
                self._is_fixed = True
                return addresses
            if self._target.name is None:
                message = f"the host `{escape(url.host)}` has no address; check its name, or use an IP address"
                raise Failed(Ending("lost"), ConnectFailed(message))
            self._is_fixed = False
        self._certainty = Certainty(given=self._is_fixed)
        return self._search()

    def _search(self) -> List[Address]:
        self._set_state("searching")
        name = self._server.name if self._server is not None and self._server.name else self._target.name
        search = Search(self._app, self._discovery_port, self._local, self._waiter.wait_readable)
        try:
            found, others = search.find(name, self._search_timeout)
        except OSError as error:
            raise Failed(Ending("lost"), ConnectFailed(f"cannot search for servers: {error}")) from None
        if self._server is not None:
            found = [one for one in [*found, *others] if one.id == self._server.id] or found
        if len(found) > 1:
            raise Failed(Ending("lost"), Ambiguous(_ambiguous(name, found)))
        if not found:
            raise Failed(Ending("lost"), NotFound(_not_found(name, others, self._discovery_port)))
        server = found[0]
        if self._server is None or self._server.id != server.id:
            self._confirms = None
        self._server = server
        self._is_secure |= server.tls
        self._answered = {_parse(address) for address in server.sources}
        addresses = self._candidates(server)
        # An id is searched for in each attempt, since another server may get the address.
        self._known = addresses if server.name else []
        return addresses

    def _candidates(self, server: ServerInfo) -> List[Address]:
        """Return the addresses to try. One that is only claimed is left out if it is one of this machine."""
        own = set(own_addresses())
        is_here = any(_parse(address)[0] in own for address in server.sources)
        usable = [one for one in server.addresses if one in server.sources or is_here or _parse(one)[0] not in own]
        return [_parse(address) for address in usable]

    def _url_at(self, address: Address) -> Url:
        url = self._target.url if self._server is None else None
        if url is None:
            host, _, zone = address[0].partition("%")
            url = Url(self._is_secure, host, zone or None, address[1], "/", None, None)
        url = url._replace(tls=url.tls or self._is_secure)
        return in_room(url, self._room) if self._room is not None else url

    def _dial(self, addresses: List[Address]) -> Tuple[socket.socket, Address, List[Address]]:
        self._set_state("connecting")
        return dial(addresses, self._waiter)

    def _handshake(self, one: socket.socket, address: Address) -> Tuple[Connection, Url]:
        """Complete the handshake, with a new connection for each challenge of the server."""
        url, server = self._url_at(address), self._server
        known = (server.id, server.challenge) if server is not None and server.challenge else None
        for _ in range(_MAX_CHALLENGES + 1):
            made = None
            if self._token is not None and known is not None:
                made = exchange(self._token, known[0], known[1] or "", secrets.token_bytes(16))
            deadline = time.monotonic() + TIMEOUT
            if url.tls:
                one = secure(one, url.host, self._fingerprint, url.shown, deadline, self._waiter)
            connection = Connection(one, self._waiter, self._max_message_bytes)
            try:
                connection.open(url, self._ask(address, made), deadline)
                self._certainty = self._certainty_at(address, None)._replace(
                    proven=connection.confirmed or made is not None or self._fingerprint is not None
                )
                if connection.confirmed and server is not None:
                    self._confirms = server.id
                return connection, url
            except Challenged as challenged:
                connection.close()
                known = (challenged.id, challenged.challenge)
                one, address, _ = dial([address], self._waiter)
            except BaseException:
                connection.close()
                raise
        one.close()
        raise Failed(Ending("lost"), ConnectFailed(f"the server at {url.shown} asks for a proof of the token again and again"))

    def _ask(self, address: Address, made: Optional[Exchange]) -> Ask:
        server = self._server
        id = server.id if server is not None and server.has_id else None
        is_claimed = server is not None and format_address(address) not in server.sources
        must_confirm = id is not None and (is_claimed or self._confirms == id)
        return Ask(id, must_confirm, self._token, made, self._subprotocols)


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
        return True
    except ValueError:
        return False


def _parse(address: str) -> Address:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port or DEFAULT_PORT)


def _not_found(name: Optional[str], others: List[ServerInfo], port: int) -> str:
    if name is None:
        return f"no server answered on UDP {port}; start one with `halloo serve`, or find out why with `halloo doctor`"
    names = ", ".join(f"`{one.name}`" for one in others[:5] if one.name)
    there = f"there is {names}" if names else f"no server answered on UDP {port}; find out why with `halloo doctor`"
    return f"no server named `{escape(hide_token(name))}` was found; {there}"


def _ambiguous(name: Optional[str], found: List[ServerInfo]) -> str:
    servers = ", ".join(f"`{one.name}` at {one.url} (id {one.id})" for one in found[:10])
    what = "there are" if name is None else f"`{escape(hide_token(name))}` is the name of"
    return f"{what} {len(found)} servers: {servers}; use an id or an address"
