"""One WebSocket connection: the opening handshake, and the bytes after it. The library websockets does the protocol."""

import time
from typing import Callable, List, NamedTuple, Optional, Protocol, Sequence, Tuple

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidStatus
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import State
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from ._endings import Ending, Failed
from ._errors import ConnectFailed, Refused, WrongServer
from ._keepalive import Keepalive
from ._names import escape
from ._proof import Exchange, read_challenge
from ._queue import Message
from ._stream import HIGH_WATER, Stream
from ._target import Url, hide_token

MAX_FRAGMENTS = 1024
HEARTBEAT, WRITE_TIMEOUT, CLOSE_TIMEOUT = 5.0, 10.0, 3.0
_ANOTHER = "it is not the server that was found, so the address belongs to another one now"


class Handler(Protocol):
    """What a connection needs from the link."""

    def next_message(self) -> Optional[Message]:
        """Return the next message to send."""

    def has_messages(self) -> bool:
        """Return whether there is one."""

    def handle_messages(self, messages: Sequence[Message]) -> None:
        """Take messages that were received."""

    def can_read(self) -> bool:
        """Return whether the application takes messages."""

    def closing(self) -> Optional[Tuple[int, str]]:
        """Return the code and the reason to close with when everything was sent."""


class Ask(NamedTuple):
    """What the handshake says and expects."""

    id: Optional[str]
    must_confirm: bool
    token: Optional[str]
    exchange: Optional[Exchange]
    subprotocols: Sequence[str]


class Challenged(Exception):
    """The server asks for a proof of the token."""

    def __init__(self, id: str, challenge: str) -> None:
        super().__init__("the server asks for a proof of the token")
        self.id, self.challenge = id, challenge


def check_response(
    headers: Callable[[str], List[str]],
    expected_id: Optional[str],
    must_confirm: bool,
    exchange: Optional[Exchange],
    awaits_challenge: bool,
) -> Tuple[Optional[str], bool]:
    """Return why the response is from the wrong server, and whether the server confirmed its id."""
    confirmed = False
    if expected_id is not None:
        ids = headers("Halloo-Id")
        confirmed = ids == [expected_id]
        if not confirmed and (ids or must_confirm):
            return _ANOTHER, False
    if awaits_challenge:
        return "it did not ask for a token, so it may be an impostor; if it is the right server, connect without one", False
    proofs = headers("Halloo-Proof")
    if exchange is not None and not (len(proofs) == 1 and exchange.is_server_proof(proofs[0])):
        return "it did not prove that it knows the token, so it may be an impostor", False
    return None, confirmed


class Connection:
    """A connection over a stream."""

    def __init__(self, stream: Stream, max_size: int) -> None:
        self._stream, self._max_size = stream, max_size
        self._parts: List[bytes] = []
        self._is_text = False
        self._early: List[object] = []
        self.confirmed = False
        self.subprotocol: Optional[str] = None

    async def open(self, url: Url, ask: Ask, deadline: float) -> None:
        """Complete the opening handshake, or raise ``Failed`` or ``Challenged``."""
        subprotocols = [Subprotocol(name) for name in ask.subprotocols] or None
        protocol = ClientProtocol(parse_uri("ws://localhost/"), subprotocols=subprotocols, max_size=self._max_size)
        request = protocol.connect()
        request.path = url.resource
        del request.headers["Host"]
        request.headers["Host"] = url.authority
        if ask.exchange is not None:
            request.headers["Authorization"] = ask.exchange.authorization
        elif ask.token and url.tls:
            request.headers["Authorization"] = f"Bearer {ask.token}"
        if ask.id is not None:
            request.headers["Halloo-Id"] = ask.id
        protocol.send_request(request)
        self._protocol = protocol
        response: Optional[Response] = None
        while response is None and protocol.handshake_exc is None:
            self._write()
            self._stream.flush()
            now = time.monotonic()
            if now >= deadline:
                raise Failed(Ending("lost"), ConnectFailed(f"{url.shown} did not complete the handshake in time"))
            events = self._read() if await self._stream.wait(True, deadline - now) else []
            response = next((one for one in events if isinstance(one, Response)), None)
            self._early = [one for one in events if isinstance(one, Frame)]
        self._judge(url, ask, response)

    def _judge(self, url: Url, ask: Ask, response: Optional[Response]) -> None:
        error = self._protocol.handshake_exc
        if response is not None and isinstance(error, InvalidStatus):
            raise _refusal(url, ask, response)
        if error is not None or response is None:
            is_cut = isinstance(getattr(error, "__cause__", None), EOFError)
            reason = "the server closed the connection" if is_cut else escape(str(error))
            message = f"no WebSocket server at {url.shown}: {reason}"
            raise Failed(Ending("lost" if is_cut else "no WebSocket"), ConnectFailed(message))
        awaits_challenge = ask.token is not None and ask.exchange is None and not url.tls
        wrong, confirmed = check_response(response.headers.get_all, ask.id, ask.must_confirm, ask.exchange, awaits_challenge)
        if wrong:
            message = f"the server at {url.shown} is not the right one: {wrong}"
            raise Failed(Ending("wrong server"), WrongServer(message))
        self.confirmed, self.subprotocol = confirmed, self._protocol.subprotocol

    async def run(self, handler: Handler) -> Tuple[int, str]:
        """Move messages until the connection ends. Return the close code and the reason."""
        protocol, stream, now = self._protocol, self._stream, time.monotonic()
        keepalive = Keepalive(now, HEARTBEAT)
        close_at, progress = float("inf"), now
        self._handle(self._early, handler, keepalive)
        while protocol.state is not State.CLOSED:
            now = time.monotonic()
            self._send_messages(handler)
            before = stream.unsent
            stream.flush()
            unsent = stream.unsent
            if unsent < before or not unsent:
                progress = now
            if protocol.state is State.CLOSING and close_at == float("inf"):
                close_at = now + CLOSE_TIMEOUT
            can_read = handler.can_read() or protocol.state is State.CLOSING
            keepalive.pause(not can_read, now)
            action, due = keepalive.poll(now)
            if action == "dead":
                return 1006, "timeout: the server was silent"
            if now >= close_at:
                break
            if unsent and now >= progress + WRITE_TIMEOUT:
                return 1006, "write timeout: the server accepts no data"
            if action == "ping":
                protocol.send_ping(b"")
                continue
            if action == "pong":
                protocol.send_pong(b"")
                continue
            due = min(due, close_at, progress + WRITE_TIMEOUT if unsent else due)
            if not unsent and protocol.state is State.OPEN and handler.has_messages():
                due = now
            readable = await stream.wait(can_read, due - now)
            woken = time.monotonic()
            if stream.unsent < unsent:
                progress = woken
            keepalive.handle_wait(woken, due)
            if readable:
                self._handle(self._read(keepalive), handler, keepalive)
        return self._result()

    def _result(self) -> Tuple[int, str]:
        received, sent = self._protocol.close_rcvd, self._protocol.close_sent
        is_ours = self._protocol.parser_exc is not None and sent is not None
        close = sent if is_ours else received or sent
        if close is None:
            return 1006, "the connection was lost"
        advice = "; allow more with `max_message_bytes`" if is_ours and close.code == 1009 else ""
        return close.code, close.reason + advice

    def close(self) -> None:
        """Close the stream."""
        self._stream.close()

    def _send_messages(self, handler: Handler) -> None:
        protocol = self._protocol
        while protocol.state is State.OPEN and self._stream.unsent < HIGH_WATER:
            message = handler.next_message()
            if message is None:
                closing = handler.closing()
                if closing is not None:
                    protocol.send_close(*closing)
                break
            if isinstance(message, str):
                protocol.send_text(message.encode())
            else:
                protocol.send_binary(message)
            self._write()
        self._write()

    def _write(self) -> None:
        for data in self._protocol.data_to_send():
            if data:
                self._stream.write(data)

    def _read(self, keepalive: Optional[Keepalive] = None) -> List[object]:
        protocol = self._protocol
        data = self._stream.read()
        if data is None:
            return []
        if data:
            if keepalive is not None:
                keepalive.handle_bytes(time.monotonic())
            protocol.receive_data(data)
        else:
            protocol.receive_eof()
        self._write()
        return list(protocol.events_received())

    def _handle(self, events: Sequence[object], handler: Handler, keepalive: Keepalive) -> None:
        messages: List[Message] = []
        for frame in events:
            if isinstance(frame, Frame) and not self._handle_frame(frame, messages, keepalive):
                break
        if messages:
            handler.handle_messages(messages)

    def _handle_frame(self, frame: Frame, messages: List[Message], keepalive: Keepalive) -> bool:
        """Append the message that the frame completes, if it does. Return whether the connection goes on."""
        if frame.opcode is Opcode.PONG:
            keepalive.handle_pong(time.monotonic())
        if frame.opcode not in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            return True
        if frame.opcode is not Opcode.CONT:
            self._parts, self._is_text = [], frame.opcode is Opcode.TEXT
        self._parts.append(bytes(frame.data))
        if len(self._parts) > MAX_FRAGMENTS:
            self._protocol.fail(1008, f"a message has at most {MAX_FRAGMENTS} fragments")
            return False
        if frame.fin:
            payload, self._parts = b"".join(self._parts), []
            try:
                messages.append(payload.decode("utf-8") if self._is_text else payload)
            except UnicodeDecodeError:
                self._protocol.fail(1007, "the text is not UTF-8")
                return False
        return True


def _refusal(url: Url, ask: Ask, response: Response) -> Exception:
    status, headers = response.status_code, response.headers
    given = read_challenge(headers.get_all("WWW-Authenticate")) if status == 401 else None
    if given is not None and ask.token and (ask.exchange is None or given[2]):
        return Challenged(given[0], given[1])
    is_text = any(value.lower().startswith("text/plain") for value in headers.get_all("Content-Type"))
    body = bytes(response.body or b"")[:4096].decode(errors="replace").strip() if is_text else ""
    text = escape(body or response.reason_phrase or "no reason is given")
    for location in headers.get_all("Location")[:1] if 300 <= status < 400 else []:
        text += f"; the server redirects to {escape(hide_token(location))}, so connect to that address if you trust it"
    message = f"the server at {url.shown} refused ({status}): {text}"
    return Failed(Ending("refused", status), Refused(message, status), given[0] if given else None)
