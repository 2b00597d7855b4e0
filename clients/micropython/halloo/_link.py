"""A connection that lasts: it finds its server, and connects again after a failure."""

import errno
import select
import socket
import time

from ._clock import chance, now
from ._endings import Backoff, is_final, is_final_code
from ._errors import HallooError
from ._frames import BINARY, CLOSE, PING, PONG, TEXT, Receiver, frame
from ._handshake import Handshake
from ._keepalive import Keepalive
from ._queue import Queue
from ._search import Search
from ._target import check_token, in_room, read_target
from ._text import best_matches, clean, least_busy

SEARCH_TIMEOUT, NAMESAKE_DELAY, CONNECT_TIMEOUT, WRITE_TIMEOUT, CLOSE_TIMEOUT = 3000, 200, 5000, 10000, 3000
MAX_CHALLENGES, CHUNK, _FOREVER = 2, 2048, 1 << 60


def connect(target=None, token=None, room=None, app=None, timeout=10, queue=(64, 16384), max_message_bytes=16384, local=False,
            port=8766):
    """Connect to a server, and stay connected to it.

    `target` is the name of a server, its id, an address or an invitation link; without it, it is the only server there is. Waits
    for the first connection for at most `timeout` seconds; 0 returns at once. `queue` limits the messages and their bytes that wait
    in either direction. `local` searches on this machine only; `port` is the UDP port of discovery.

    Raises HallooError if it does not connect in time, or if the end is final."""
    link = Link(target, token, room, app, queue, max_message_bytes, local, port)
    end = now() + timeout * 1000
    link.poll()
    while timeout and link.state != "connected":
        if link.state == "closed" or now() >= end:
            error = link.error or link.last_failure or HallooError(f"no connection within {timeout} s")
            link.close()
            raise error
        link._wait(end)
        link.poll()
    return link


class Link:
    """Made by `connect`. A context manager, and an iterator of the messages."""

    def __init__(self, target, token, room, app, queue, max_message_bytes, local, port):
        self._url, self._name = (None, None) if target is None else read_target(target)
        self._path = self._url.path if self._url else "/"
        if room is not None:
            self._path = in_room(self._path, room)
        token = token or (self._url.token if self._url else None)
        self._token, self._scope = check_token(token) if token else None, (app, local, port)
        self._outbox, self._inbox, self._max_bytes = Queue(*queue), Queue(*queue), max_message_bytes
        self._server, self._confirmed_id, self._known, self._is_stale = None, None, (), False
        self._poller, self._sockets, self._out = None, (), b""
        self._backoff, self._closing, self._task = Backoff(), None, self._run()
        self.state, self.url, self.error, self.last_failure = "waiting", None, None, None

    def poll(self):
        """Do what can be done without waiting. Call it at least every 5 s."""
        if self.state != "closed":
            next(self._task, None)

    def send(self, message):
        """Send a str or bytes. Return "sent", "queued" while there is no connection, or "full": then nothing happened. Raises
        HallooError after the end."""
        self._check_open()
        if not self._outbox.push(message):
            return "full"
        result = "sent" if self.state == "connected" else "queued"
        self.poll()
        return result

    def recv(self, timeout=None):
        """Return the next message, or None if there is none within `timeout` seconds. Raises HallooError after the end."""
        end = _FOREVER if timeout is None else now() + timeout * 1000
        while True:
            self.poll()
            if len(self._inbox):
                return self._inbox.pop()
            self._check_open()
            if now() >= end:
                return None
            self._wait(end)

    def _wait(self, end):
        """Wait until there is something to do, at most for 50 ms or until `end`."""
        ms = max(0, min(int(end - now()), 50))
        if self._sockets:
            self._poller.poll(ms)
        else:
            time.sleep_ms(ms)

    def close(self, code=1000, reason=""):
        """Send what waits if there is a connection, and close it. Waits for the server, but not longer than its timeouts."""
        self._closing = code.to_bytes(2, "big") + reason.encode()
        self.poll()
        while self.state == "connected":
            self._wait(_FOREVER)
            self.poll()
        self._drop()
        self.state = "closed"

    def __iter__(self):
        """Yield the messages until the link is closed for good; `error` says why."""
        try:
            while True:
                yield self.recv()
        except HallooError:
            pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    @property
    def pending(self):
        """How many messages wait to be sent, or are only partly sent."""
        return len(self._outbox) + (1 if self._out else 0)

    def _check_open(self):
        if self.state == "closed":
            raise self.error or HallooError("the link is closed; connect again")

    # Below, each `yield` returns to the application until the next poll.

    def _run(self):
        while True:
            try:
                yield from self._attempt()
            except HallooError as error:
                self.last_failure = error
            self._drop()
            failure = self.last_failure
            is_last = is_final(failure.ending, failure.code, self._known)
            if self._closing or is_last:
                self.state, self.error = "closed", None if self._closing else failure
                return
            if failure.ending == "closed" and is_final_code(failure.code):
                self._is_stale = True
            self.state, until = "waiting", now() + self._backoff.failed(now(), chance())
            while now() < until:
                yield

    def _attempt(self):
        """Connect, and exchange messages until the end, which is a HallooError."""
        if self._url:
            yield from self._open_given()
        elif self._server and self._server.name and not self._is_stale:
            try:
                yield from self._open(self._server.address, ())
            except HallooError as error:
                self.last_failure = error
        if self.state != "connected":
            yield from self._search()
            yield from self._open(self._server.address, ("found",))
        yield from self._exchange()

    def _open_given(self):
        try:
            address = socket.getaddrinfo(self._url.host, self._url.port)
        except OSError:
            address = None
        if address:
            # It is an address from now on.
            self._name = None
            yield from self._open((self._url.host, self._url.port), ("given",))
        elif self._name is None:
            self._known = ("given",)
            raise HallooError(f"the host `{self._url.host}` has no address; check its name, or use an IP address")
        else:
            self._url = None

    def _search(self):
        """Find the server that is meant."""
        self.state, self._known, first, is_id = "searching", (), None, False
        search = Search(*self._scope, self._server and self._server.address)
        until = now() + SEARCH_TIMEOUT
        self._use(search.sockets)
        name = self._server.name if self._server and self._server.name else self._name
        while now() < until and not is_id and (first is None or now() < first + NAMESAKE_DELAY):
            yield
            search.poll()
            found, is_id = best_matches(name, search.servers) if name else (search.servers, False)
            found = [one for one in search.servers if self._server and one.id == self._server.id] or found
            first = now() if found and first is None else first
        self._drop()
        listed = ", ".join(f"`{one.name}` at {one.url} (id {one.id})" for one in (found or search.servers)[:5])
        server = least_busy(found) if found else None
        if found and not server:
            raise HallooError(f"there are {len(found)} servers: {listed}; use an id or an address")
        if not found:
            what = f"no server named `{clean(name)}` was found" if name else "no server was found"
            raise HallooError(f"{what}; there is {listed}" if listed else f"{what}; find out why with `halloo doctor`")
        if server.tls:
            raise HallooError(f"the server `{server.name}` requires TLS, which this client does not have; start it without --tls")
        self._server, self._is_stale = server, False

    def _open(self, address, known):
        """Connect, with a new connection for each challenge of the server."""
        server, at = self._server, "%s:%d" % address
        challenge = (server.id, server.challenge) if server and server.challenge else None
        id = server.id if server and server.id != at else None
        for attempt in range(MAX_CHALLENGES + 1):
            self.state, self._known = "connecting", known
            shake = Handshake(self._token, challenge, id, id is not None and id == self._confirmed_id)
            ending, rest, status, given = yield from self._shake(address, at, shake)
            is_challenge = given and self._token and (not shake.proof or given[2])
            if not is_challenge or attempt == MAX_CHALLENGES:
                break
            challenge = given[0], given[1]
        if ending != "open":
            if given and id and given[0] != id:
                self._known = tuple(one for one in known if one != "found")
            advice = "; take the token from the invitation link" if status == 401 else ""
            raise HallooError(f"{at}: {rest}{advice}", status, ending)
        if shake.is_confirmed or shake.proof:
            self._known += ("proven",)
        self._confirmed_id = id if shake.is_confirmed else None
        self._backoff.connected(now())
        self._receiver = Receiver(self._max_bytes)
        self._receiver.push(rest)
        self.state, self.url = "connected", f"ws://{at}"

    def _shake(self, address, at, shake):
        """Connect, and return what the handshake returns."""
        self._drop()
        until, received, result = now() + CONNECT_TIMEOUT, b"", None
        try:
            one = socket.socket()
            self._use((one,))
            one.setsockopt(6, getattr(socket, "TCP_NODELAY", 1), 1)
            try:
                one.connect(socket.getaddrinfo(*address)[0][-1])
            except OSError as error:
                if error.errno != errno.EINPROGRESS:
                    raise
            self._out = shake.request(self._path, address[0] if address[1] == 80 else at)
            # Also the end of the TCP handshake ends the next wait.
            self._poller.modify(one, select.POLLIN | select.POLLOUT)
            while result is None:
                if now() >= until:
                    raise HallooError(f"{at} did not complete the handshake in time")
                yield
                data = self._move(True)
                received += data or b""
                result = shake.read(received, data == b"") if received or data == b"" else None
        except OSError as error:
            raise HallooError(f"cannot connect to {at}: {error}")
        return result

    def _exchange(self):
        """Move messages until the connection ends."""
        keepalive, self._progress, self._close_until = Keepalive(now()), now(), None
        try:
            while True:
                yield
                keepalive.wake(now())
                self._receive(keepalive)
                keepalive.pause(not self._inbox.has_room(), now())
                self._send(keepalive.poll(now()))
        except OSError as error:
            end = HallooError(f"the connection was lost: {error}", 1006)
        except HallooError as error:
            end = error
        if self._backoff.is_stable(now()):
            self._known += ("stable",)
        yield from self._drain(end)
        reason = clean(str(end), 200)
        raise HallooError(f"the connection was closed with {end.code}" + (f": {reason}" if reason else ""), end.code, "closed")

    def _drain(self, end):
        """Read until the server closes, so that the close frame arrives: a socket with unread bytes is reset."""
        self.state, until = "waiting", now() + CLOSE_TIMEOUT
        try:
            while end.code != 1006 and now() < until and self._move(True) != b"":
                yield
        except OSError:
            pass

    def _receive(self, keepalive):
        data = self._move(self._inbox.has_room())
        if data:
            keepalive.received(now())
            self._receiver.push(data)
        while self._inbox.has_room():
            opcode, content = self._next_frame()
            if opcode is None:
                break
            elif opcode == CLOSE:
                code, reason = content
                self._put(CLOSE, b"" if code == 1005 else code.to_bytes(2, "big"))
                raise HallooError(reason, code)
            elif opcode == PING:
                self._put(PONG, content)
            elif opcode == PONG:
                keepalive.pong(now())
            else:
                self._inbox.push(content)
        else:
            # The rest waits until the application has taken some.
            return
        if data == b"":
            raise HallooError("the connection was lost", 1006)

    def _next_frame(self):
        try:
            return self._receiver.next() or (None, None)
        except HallooError as error:
            self._put(CLOSE, error.code.to_bytes(2, "big") + str(error).encode())
            raise

    def _send(self, action):
        if action == "dead":
            raise HallooError("timeout: the server was silent", 1006)
        if action:
            self._put(PING if action == "ping" else PONG, b"")
        while len(self._outbox) and len(self._out) < CHUNK and not self._close_until:
            message = self._outbox.pop()
            is_text = isinstance(message, str)
            self._put(TEXT if is_text else BINARY, message.encode() if is_text else message)
        if self._closing and not len(self._outbox) and not self._close_until:
            self._put(CLOSE, self._closing)
            self._close_until = now() + CLOSE_TIMEOUT
        self._move(False)
        if self._out and now() >= self._progress + WRITE_TIMEOUT:
            raise HallooError("timeout: the server accepts no data", 1006)
        if self._close_until and now() >= self._close_until:
            raise HallooError("timeout: the server did not answer the close frame", 1006)

    # The sockets.

    def _use(self, sockets):
        self._sockets, self._poller = sockets, select.poll()
        for one in sockets:
            one.setblocking(False)
            self._poller.register(one, select.POLLIN)

    def _drop(self):
        for one in self._sockets:
            one.close()
        self._sockets, self._poller, self._out, self.url = (), None, b"", None

    def _put(self, opcode, data):
        if not self._out:
            self._progress = now()
        self._out += frame(opcode, data)

    def _move(self, reads):
        """Write and read what is possible. Return what was read: None for nothing, b"" at the end."""
        one, data = self._sockets[0], None
        self._poller.modify(one, select.POLLIN | select.POLLOUT)
        for _, events in self._poller.poll(0):
            is_broken = events & (select.POLLERR | select.POLLHUP)
            if reads and (events & select.POLLIN or is_broken):
                data = _unless_busy(one.recv, CHUNK)
            if self._out and (events & select.POLLOUT or is_broken):
                count = _unless_busy(one.send, self._out[:CHUNK])
                if count:
                    self._out, self._progress = self._out[count:], now()
        # What the next wait is for.
        has_room = self._inbox.has_room()
        self._poller.modify(one, (select.POLLIN if has_room else 0) | (select.POLLOUT if self._out else 0))
        return data


def _unless_busy(call, argument):
    """Return what the call returns, or None if the socket is not ready after all."""
    try:
        return call(argument)
    except OSError as error:
        if error.errno != errno.EAGAIN:
            raise
