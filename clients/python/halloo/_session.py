"""The decisions of a link: where its server is, whether it is the right one, and when to try again."""

import ipaddress
import secrets
import socket
import time
from typing import Awaitable, Callable, List, Optional, Set, Tuple

from ._connection import Ask, Challenged, Connection
from ._datagrams import Address, format_address
from ._dial import TIMEOUT, dial, resolve
from ._drive import Wait
from ._endings import Backoff, Certainty, Ending, Failed, is_final_code
from ._errors import Ambiguous, Closed, ConnectFailed, HallooError, NotFound
from ._interfaces import own_addresses
from ._names import escape, least_busy
from ._options import Event, Options
from ._proof import Exchange, exchange
from ._search import Search, ServerInfo
from ._state import LinkState
from ._stream import Stream
from ._target import DEFAULT_PORT, Url, hide_token, in_room
from ._tls import NotTrusted, TlsStream, not_trusted
from ._wait import Aborted

_MAX_CHALLENGES = 2


class Session:
    """Connects, again and again, until an end is final. ``run`` waits only through ``wait``."""

    def __init__(
        self, options: Options, link: LinkState, wait: Wait, to_stream: Callable[[socket.socket, Wait], Awaitable[Stream]]
    ) -> None:
        self._options, self._link, self._wait, self._to_stream = options, link, wait, to_stream
        self._target, self._server = options.target, options.server
        url = self._target.url
        self._backoff = Backoff(time.monotonic(), options.max_attempts, options.max_elapsed)
        self._is_fixed = url is not None and self._target.name is None
        self._is_secure = bool(options.fingerprint) or (self._server is not None and self._server.tls)
        self._known: List[Address] = self._candidates(self._server) if self._server else []
        self._answered: Set[Address] = set()
        self._confirms: Optional[str] = None
        self._certainty = Certainty()

    async def run(self) -> None:
        """Connect and move messages until the link is closed for good."""
        error: Optional[HallooError] = None
        try:
            while self._link.closing() is None:
                error, pause = await self._attempt()
                if pause is None:
                    break
                error = None
                await self._pause(pause)
        except Aborted:
            error = None
        except Exception as failure:  # noqa: BLE001 - a link must not end in silence
            error = HallooError(f"the link failed: {failure!r}; this is a bug")
        finally:
            self._link.handle_end(error)

    async def _pause(self, pause: float) -> None:
        self._link.set_state("waiting")
        end = time.monotonic() + pause
        while time.monotonic() < end:
            await self._wait.wait((), (), end - time.monotonic())

    async def _attempt(self) -> Tuple[HallooError, Optional[float]]:
        """Connect, and move messages until the connection ends. Return why it ended, and the pause before the next attempt,
        or ``None`` if there is none."""
        self._answered = set()
        try:
            connection, url = await self._connect()
        except Failed as failure:
            self._link.last_failure = failure.error
            known = self._certainty
            pause = None if failure.ending.is_final(known) else self._backoff.handle_failure(time.monotonic())
            if pause is not None:
                self._link.emit(Event("failed", str(failure.error), pause=pause))
            return failure.error, pause
        try:
            self._backoff.handle_connected(time.monotonic())
            self._link.handle_connected(url.shown, connection.subprotocol)
            code, reason = await connection.run(self._link)
        finally:
            connection.close()
            self._link.url = None
        reason = escape(reason)
        now = time.monotonic()
        known = self._certainty._replace(stable=self._backoff.is_stable(now))
        is_final = Ending("closed", code).is_final(known)
        if is_final_code(code) and not is_final:
            self._known = []
        is_over = is_final or self._link.closing() is not None or not self._options.reconnect
        pause = None if is_over else self._backoff.handle_failure(now)
        self._link.emit(Event("disconnected", reason, code=code, pause=pause))
        message = f"the connection was closed with {code}" + (f": {reason}" if reason else "")
        return Closed(message, code, reason), pause

    async def _connect(self) -> Tuple[Connection, Url]:
        self._certainty = Certainty(given=self._is_fixed)
        has_searched = False
        addresses = list(self._known)
        if not addresses:
            addresses, has_searched = await self._locate(), True
        failure: Optional[Failed] = None
        while True:
            while addresses:
                try:
                    one, address, addresses = await self._dial(addresses)
                except Failed as failed:
                    failure, addresses = failed if failure is None else failure, []
                    break
                try:
                    return await self._handshake(one, address)
                except Failed as failed:
                    failure = failed
                    known = self._certainty_at(address, failed.named_id)._replace(others=bool(addresses))
                    self._certainty = known
                    if failed.ending.is_final(known):
                        raise
            if has_searched or self._is_fixed:
                assert failure is not None
                raise failure
            addresses, has_searched = await self._locate(), True
            if not addresses and failure is not None:
                raise failure

    def _certainty_at(self, address: Address, named_id: Optional[str]) -> Certainty:
        is_named = named_id is not None and self._server is not None
        if is_named:
            is_found = self._server is not None and named_id == self._server.id and bool(self._answered)
        else:
            is_found = address in self._answered
        return Certainty(given=self._is_fixed, found=is_found)

    async def _locate(self) -> List[Address]:
        url = self._target.url
        if url is not None:
            host = f"{url.host}%{url.zone}" if url.zone else url.host
            if _is_ip(url.host) and not url.zone:
                return [(url.host, url.port)]
            addresses = await resolve(host, url.port, self._wait)
            if addresses:
                # It is an address from now on, as long as it has one.
                self._is_fixed = True
                return addresses
            if self._target.name is None:
                message = f"the host `{escape(url.host)}` has no address; check its name, or use an IP address"
                raise Failed(Ending("lost"), ConnectFailed(message))
            self._is_fixed = False
        self._certainty = Certainty(given=self._is_fixed)
        return await self._search()

    async def _search(self) -> List[Address]:
        self._link.set_state("searching")
        name = self._server.name if self._server is not None and self._server.name else self._target.name
        options = self._options
        search = Search(options.app, options.discovery_port, options.local, self._wait)
        # Where it was last, it is found after a restart even if broadcasts do not get there.
        last_at = [] if self._server is None else [_parse(address) for address in self._server.addresses]
        try:
            found, others = await search.find(name, options.search_timeout, last_at)
        except OSError as error:
            raise Failed(Ending("lost"), ConnectFailed(f"cannot search for servers: {error}")) from None
        if self._server is not None:
            found = [one for one in [*found, *others] if one.id == self._server.id] or found
        if not found:
            raise Failed(Ending("lost"), NotFound(_not_found(name, others, options.discovery_port)))
        server = least_busy(found, lambda one: (one.cluster, one.clients))
        if server is None:
            raise Failed(Ending("lost"), Ambiguous(_ambiguous(name, found)))
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
        return in_room(url, self._options.room) if self._options.room is not None else url

    async def _dial(self, addresses: List[Address]) -> Tuple[socket.socket, Address, List[Address]]:
        self._link.set_state("connecting")
        return await dial(addresses, self._wait)

    async def _handshake(self, one: socket.socket, address: Address) -> Tuple[Connection, Url]:
        """Complete the handshake, with a new connection for each challenge of the server."""
        url, server, options = self._url_at(address), self._server, self._options
        known = (server.id, server.challenge) if server is not None and server.challenge else None
        for _ in range(_MAX_CHALLENGES + 1):
            made = None
            if options.token is not None and known is not None:
                made = exchange(options.token, known[0], known[1] or "", secrets.token_bytes(16))
            deadline = time.monotonic() + TIMEOUT
            connection = Connection(await self._secured(one, address, url, deadline), options.max_message_bytes)
            try:
                await connection.open(url, self._ask(address, made), deadline)
                self._certainty = self._certainty_at(address, None)._replace(
                    proven=connection.confirmed or made is not None or options.fingerprint is not None
                )
                if connection.confirmed and server is not None:
                    self._confirms = server.id
                return connection, url
            except Challenged as challenged:
                connection.close()
                known = (challenged.id, challenged.challenge)
                one, address, _ = await dial([address], self._wait)
            except BaseException:
                connection.close()
                raise
        one.close()
        raise Failed(Ending("lost"), ConnectFailed(f"the server at {url.shown} asks for a proof of the token again and again"))

    async def _secured(self, one: socket.socket, address: Address, url: Url, deadline: float) -> Stream:
        """Return a stream of a connected socket, with TLS if the server needs it."""
        stream = await self._to_stream(one, self._wait)
        if not url.tls:
            return stream
        try:
            secured = TlsStream(stream, url.host, self._options.fingerprint)
            await secured.handshake(url.shown, deadline)
            return secured
        except NotTrusted as untrusted:
            stream.close()
            raise not_trusted(url.shown, str(untrusted), await self._certificate_at(address, url, deadline)) from None
        except BaseException:
            stream.close()
            raise

    async def _certificate_at(self, address: Address, url: Url, deadline: float) -> Optional[bytes]:
        """Return the certificate of a server that is not trusted. It takes another connection: Python shows none of a
        handshake that has failed."""
        try:
            one, _, _ = await dial([address], self._wait)
            stream = await self._to_stream(one, self._wait)
        except Failed:
            return None
        try:
            secured = TlsStream(stream, url.host, None, accepts_any=True)
            await secured.handshake(url.shown, deadline)
            return secured.certificate
        except Failed:
            return None
        finally:
            stream.close()

    def _ask(self, address: Address, made: Optional[Exchange]) -> Ask:
        server = self._server
        id = server.id if server is not None and server.has_id else None
        is_claimed = server is not None and format_address(address) not in server.sources
        must_confirm = id is not None and (is_claimed or self._confirms == id)
        return Ask(id, must_confirm, self._options.token, made, self._options.subprotocols)


def no_connection_within(timeout: float) -> ConnectFailed:
    """Return the error of a first connection that took too long, when there was no attempt to tell of."""
    return ConnectFailed(f"no connection within {timeout} s")


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
