"""The process of ``halloo serve --json``, and the pipes to it."""

import contextlib
import json
import logging
import subprocess
import sys
import threading
from collections import deque
from typing import IO, Any, Callable, Deque, Dict, List, Mapping, Optional, Sequence

from ._errors import Closed, ProgramNotFound
from ._queue import Queue

_STOP_INTERVAL = 0.05
# The program forces its own end after 1.8 s.
_STOP_TIMEOUT = 5.0
_WRITE_SIZE = 64 * 1024
_LAST_LINES = 20


class ServerProcess:
    """Writes commands on one thread, and reads events and the log on two others.

    ``handle`` is called with each event on the thread that reads them, and may block it.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        commands: Queue,
        handle: Callable[[Dict[str, Any]], None],
        log: Optional[logging.Logger],
        stop: Optional[threading.Event],
    ) -> None:
        self._commands, self._handle, self._log, self._stop = commands, handle, log, stop
        self._changed = threading.Condition()
        self._is_closing = False
        self._last_lines: Deque[str] = deque(maxlen=_LAST_LINES)
        try:
            self._process = subprocess.Popen(
                command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
        except OSError as error:
            raise ProgramNotFound(f"cannot start `{command[0]}`: {error}; pass the path of the program `halloo`") from None
        self._threads = [
            threading.Thread(target=target, name=name, daemon=True)
            for target, name in (
                (self._read_log, "halloo-log"),
                (self._read_events, "halloo-events"),
                (self._write_commands, "halloo-commands"),
            )
        ]

    def start(self) -> None:
        """Start the threads. That of the log comes first, because the reader of events waits for its end."""
        for thread in self._threads:
            thread.start()

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self._process.pid

    def write(self, line: bytes) -> bool:
        """Append a line to those that wait to be written, and return whether there was room."""
        with self._changed:
            if self._is_closing:
                raise Closed("the server has been closed")
            has_room = self._commands.push(line)
            self._changed.notify_all()
            return has_room

    def failure(self) -> Optional[str]:
        """Return why the process ended, unless it ended well. It has closed its output, so it is about to end."""
        code = self._process.wait()
        self._threads[0].join()
        if code == 0:
            return None
        if code < 0:
            return f"`halloo serve` was ended by signal {-code}; start the server again"
        lines = list(self._last_lines) or ["it gave no reason"]
        reason = next((line for line in reversed(lines) if line.startswith("error: ")), lines[-1])
        return f"`halloo serve` ended with exit code {code}: {reason}"

    def close(self) -> None:
        """Write what waits, stop the server, and wait for the ends of the process and of the threads."""
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()
        try:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_STOP_TIMEOUT)
        finally:
            # It does nothing to a process that has ended.
            self._process.kill()
            self._process.wait()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join()

    def _write_commands(self) -> None:
        pipe = self._pipe(self._process.stdin)
        try:
            while True:
                lines = self._next_commands()
                if lines is None:
                    break
                pipe.write(b"".join(lines))
                pipe.flush()
        except OSError:
            # The process has ended, and the reader of events says why.
            pass
        finally:
            with contextlib.suppress(OSError):
                pipe.close()

    def _next_commands(self) -> Optional[List[bytes]]:
        lines: List[bytes] = []
        size = 0
        with self._changed:
            while not len(self._commands):
                if self._is_closing or (self._stop is not None and self._stop.is_set()):
                    return None
                self._changed.wait(None if self._stop is None else _STOP_INTERVAL)
            while size < _WRITE_SIZE:
                line = self._commands.pop()
                if line is None:
                    break
                assert isinstance(line, bytes)
                lines.append(line)
                size += len(line)
        return lines

    def _read_events(self) -> None:
        try:
            with self._pipe(self._process.stdout) as pipe:
                for line in pipe:
                    # A process that was killed may leave a part of a line.
                    with contextlib.suppress(ValueError):
                        self._handle(json.loads(line))
        finally:
            with self._changed:
                self._is_closing = True
                self._changed.notify_all()
            self._handle({"event": "ended"})

    def _read_log(self) -> None:
        with self._pipe(self._process.stderr) as pipe:
            for line in pipe:
                text = line.decode(errors="replace").rstrip()
                self._last_lines.append(text)
                if self._log is not None:
                    self._log.info("%s", text)
                elif sys.stderr is not None:
                    # It may have been closed, but the server must not wait for its log.
                    with contextlib.suppress(OSError, ValueError):
                        print(text, file=sys.stderr, flush=True)

    @staticmethod
    def _pipe(pipe: Optional[IO[bytes]]) -> IO[bytes]:
        assert pipe is not None
        return pipe
