"""The network between a browser and the dashboard: cut, deaf in one direction, or stuttering."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_CHUNK = 1 << 16


class Wire:
    """Passes bytes on between its own port and another one."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.site = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.is_cut = False
        """Whoever connects now is sent away."""
        self.loses_answers = False
        """What the browser says arrives; what the server says does not."""
        self.stutters = False
        """What the browser says arrives twice."""
        self._may_answer = threading.Event()
        self._may_answer.set()
        self._open: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """End all connections, and let no new one come."""
        self.is_cut = True
        self._hang_up()

    def mend(self) -> None:
        """Let connections come again, as good as new."""
        self.is_cut = self.loses_answers = self.stutters = False

    @contextmanager
    def held_up(self) -> Iterator[None]:
        """What the browser says arrives; what the server says waits until the end of the block."""
        self._may_answer.clear()
        try:
            yield
        finally:
            self._may_answer.set()

    def close(self) -> None:
        """End everything."""
        self.is_cut = True
        self._listener.close()
        self._hang_up()

    def _hang_up(self) -> None:
        for end in list(self._open):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                browser, _ = self._listener.accept()
            except OSError:
                return
            if self.is_cut:
                browser.close()
                continue
            server = socket.create_connection(("127.0.0.1", self._target))
            self._open |= {browser, server}
            for pump in (self._to_server, self._to_browser):
                threading.Thread(target=pump, args=(browser, server), daemon=True).start()

    def _to_server(self, browser: socket.socket, server: socket.socket) -> None:
        # A small WebSocket message is one frame in one piece: the piece twice is the frame twice.
        for piece in _pieces(browser):
            with suppress(OSError):
                server.sendall(piece * (2 if self.stutters else 1))
        self._end(browser, server)

    def _to_browser(self, browser: socket.socket, server: socket.socket) -> None:
        for piece in _pieces(server):
            self._may_answer.wait()
            if not self.loses_answers:
                with suppress(OSError):
                    browser.sendall(piece)
        self._end(browser, server)

    def _end(self, *ends: socket.socket) -> None:
        for end in ends:
            self._open.discard(end)
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


def _pieces(end: socket.socket) -> Iterator[bytes]:
    with suppress(OSError):
        while piece := end.recv(_CHUNK):
            yield piece


@contextmanager
def wired(site: str) -> Iterator[Wire]:
    """Give a wire to a served site."""
    wire = Wire(int(site.rsplit(":", 1)[1]))
    try:
        yield wire
    finally:
        wire.close()
