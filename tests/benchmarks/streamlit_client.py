"""A browser tab without a browser: speaks the app's own WebSocket protocol, so that thirty fit."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Element_pb2 import Element
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

_ITEM = re.compile(r"annotate-([a-z2-7]{16})-([0-9a-f]{8})-q\d+")

_AGAIN = ForwardMsg.FINISHED_EARLY_FOR_RERUN
_QUIET_SECONDS = 0.5


class ConnectionLostError(Exception):
    """The server was killed, or did not answer in time."""


@dataclass(slots=True)
class Seen:
    """What the page shows now."""

    buttons: dict[str, str] = field(default_factory=dict)
    """Label -> widget id."""
    groups: dict[str, list[str]] = field(default_factory=dict)
    """Widget id -> the words of its choices."""
    checkboxes: dict[str, str] = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)

    @property
    def item(self) -> str | None:
        """Code of the item in the form."""
        found = [match[1] for name in self.groups if (match := _ITEM.search(name))]
        return found[0] if found else None

    def says(self, pattern: str) -> bool:
        """Tell whether some text of the page matches."""
        return any(re.search(pattern, text) for text in self.texts)


class Tab:
    """One session; every call waits until the script has come to rest."""

    def __init__(
        self, site: str, query: str, *, page: str = "annotate", timeout_seconds: float = 30.0
    ) -> None:
        """Open a page."""
        self._query = query
        self._page = page
        self._timeout_seconds = timeout_seconds
        self._n_sent = 0
        self.seen = Seen()
        self.received = bytearray()
        try:
            connection = connect(
                f"ws://{site.split('//')[1]}/_stcore/stream",
                subprotocols=["streamlit"],  # type: ignore[list-item]
                max_size=None,
                open_timeout=timeout_seconds,
                ping_interval=None,  # a tab that was cut on purpose needs no ping
            )
            # Entered, as the library asks, for as long as the tab lives; ``close`` leaves it.
            self._socket: ClientConnection = connection.__enter__()
            self.rerun({})
        except (OSError, WebSocketException, TimeoutError) as error:
            raise ConnectionLostError(str(error)) from error

    def open(self, page: str) -> float:
        """Go to another page; ``received`` then holds all that the server sent of it.

        Returns:
            Seconds until the end of the script.
        """
        self._page = page
        return self.rerun({})

    def rerun(
        self,
        states: Mapping[str, list[str] | bool | None],
        *,
        times: int = 1,
        until: str = "",
    ) -> float:
        """Send widget states (choices, a tick, None: a click); wait for the end of the script.

        Returns:
            Seconds from sending until a text matched ``until``, else until the end.
        """
        started = time.perf_counter()
        self.received = bytearray()
        self.send(states, times=times)
        found: list[float] = []

        def look(text: str) -> None:
            if until and not found and re.search(until, text):
                found.append(time.perf_counter() - started)

        self._receive(look)
        for _ in range(1, times):
            # The server may have made one run of two requests: a second one need not come.
            self._receive(look, patience_seconds=_QUIET_SECONDS)
        return found[0] if found else time.perf_counter() - started

    def send(self, states: Mapping[str, list[str] | bool | None], *, times: int = 1) -> None:
        """Send widget states and wait for nothing."""
        message = BackMsg()
        request = message.rerun_script
        request.query_string = self._query
        request.page_name = self._page
        for name, value in states.items():
            state = request.widget_states.widgets.add()
            state.id = name
            if value is None:
                state.trigger_value = True
            elif isinstance(value, bool):
                state.bool_value = value
            else:
                state.string_array_value.data[:] = value
        try:
            for _ in range(times):
                self._socket.send(message.SerializeToString())
        except (OSError, WebSocketException) as error:
            raise ConnectionLostError(str(error)) from error

    def click(self, label: str, *, until: str = "") -> float:
        """Press a button."""
        return self.rerun({self.seen.buttons[label]: None}, until=until)

    def kill(self) -> None:
        """Cut the connection without a word."""
        self._socket.socket.close()

    def close(self) -> None:
        """Close the tab."""
        self._socket.close()

    def _receive(self, look: Callable[[str], None], *, patience_seconds: float = 0.0) -> None:
        began = False
        while True:
            patience = patience_seconds if patience_seconds and not began else None
            try:
                data = self._socket.recv(timeout=patience or self._timeout_seconds)
            except TimeoutError as error:
                if patience:
                    return
                raise ConnectionLostError(str(error)) from error
            except (OSError, WebSocketException) as error:
                raise ConnectionLostError(str(error)) from error
            content = data if isinstance(data, bytes) else data.encode()
            self.received += content
            message = ForwardMsg.FromString(content)
            kind = message.WhichOneof("type")
            if kind == "new_session":
                self.seen, began = Seen(), True
            elif kind == "delta" and message.delta.WhichOneof("type") == "new_element":
                self._take(message.delta.new_element, look)
            elif kind == "script_finished" and message.script_finished != _AGAIN:
                return

    def _take(self, element: Element, look: Callable[[str], None]) -> None:
        kind = element.WhichOneof("type")
        if kind == "button":
            self.seen.buttons[element.button.label] = element.button.id
        elif kind == "checkbox":
            self.seen.checkboxes[element.checkbox.label] = element.checkbox.id
        elif kind == "button_group":
            self.seen.groups[element.button_group.id] = [
                option.content for option in element.button_group.options
            ]
        elif kind in ("markdown", "text", "progress", "alert", "code"):
            part = getattr(element, kind)
            text = str(getattr(part, "body", "") or getattr(part, "text", "") or part)
            self.seen.texts.append(text)
            look(text)
