"""Who gets in: by nobody's leave, by password, by a provider's word; and what is read-only."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import pytest
import streamlit as st
from streamlit.errors import StreamlitSecretNotFoundError
from streamlit.testing.v1 import AppTest

from emorl_dashboard.server import access

PASSWORD = "correct horse battery"


class Secrets:
    """In place of ``st.secrets``: a table, or what reading the file raises."""

    def __init__(self, found: dict[str, Any] | Exception) -> None:
        self._found = found

    def to_dict(self) -> dict[str, Any]:
        if isinstance(self._found, Exception):
            raise self._found
        return self._found


Configure = Callable[[dict[str, Any] | Exception], None]


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch) -> Configure:
    return lambda found: monkeypatch.setattr(st, "secrets", Secrets(found))


def door() -> AppTest:
    def script() -> None:
        import streamlit as st

        from emorl_dashboard.server import access

        if access.may_enter():
            st.title("inside")

    return AppTest.from_function(script, default_timeout=30).run()


def is_inside(page: AppTest) -> bool:
    return "inside" in [title.value for title in page.title]


@pytest.mark.parametrize(
    ("value", "expected"),
    [(None, False), ("", False), ("0", False), ("no", False), ("1", True), ("yes", True)],
)
def test_the_environment_makes_the_dashboard_read_only(
    value: str | None, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(access.READ_ONLY, raising=False)
    if value is not None:
        monkeypatch.setenv(access.READ_ONLY, value)
    assert access.is_read_only() is expected


def test_without_secrets_everybody_who_reaches_it_enters(configure: Configure) -> None:
    configure({})
    assert is_inside(door())


def test_secrets_that_cannot_be_read_let_nobody_in(
    configure: Configure, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = StreamlitSecretNotFoundError("cannot parse", path="", error="", error_id="x")
    configure(broken)
    monkeypatch.setattr(st, "get_option", lambda _name: [str(tmp_path / "absent.toml")])
    assert is_inside(door())
    monkeypatch.setattr(st, "get_option", lambda _name: [str(tmp_path)])
    page = door()
    assert not is_inside(page)
    assert "cannot be read" in page.error[0].value


def test_the_password_opens_and_nothing_else_does(configure: Configure) -> None:
    configure({"access": {"password": PASSWORD}})
    page = door()
    assert not is_inside(page)
    page.text_input[0].set_value("wrong")
    page.button[0].click().run()
    assert "not the password" in page.error[0].value
    assert not is_inside(page)
    page.text_input[0].set_value(PASSWORD)
    page.button[0].click().run()
    assert is_inside(page)


@pytest.mark.parametrize(
    "settings",
    [
        {"access": {"password": "short"}},
        {"access": {"password": 123456789012}},
        {"access": {"password": ""}},
        {"access": "open"},
        {"auth": {}, "access": {"allowed": "ada@example.org"}},
    ],
)
def test_a_wrong_setting_lets_nobody_in(settings: dict[str, Any], configure: Configure) -> None:
    configure(settings)
    page = door()
    assert not is_inside(page)
    assert "secrets.toml" in page.error[0].value


def test_a_login_without_its_library_lets_nobody_in(
    configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    configure({"auth": {"client_id": "x"}, "access": {"password": PASSWORD}})
    page = door()
    assert "Authlib" in page.error[0].value
    assert not page.text_input


class User:
    """In place of ``st.user``."""

    def __init__(self, **claims: object) -> None:
        self._claims = claims
        self.is_logged_in = bool(claims)

    def to_dict(self) -> dict[str, object]:
        return self._claims


@pytest.mark.parametrize(
    ("user", "inside"),
    [
        (User(), False),
        (User(email="ada@example.org", email_verified=True), True),
        (User(email="eve@example.org", email_verified=True), False),
    ],
)
def test_a_login_admits_the_accounts_on_the_list(
    user: User, inside: bool, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    monkeypatch.setattr(st, "user", user)
    configure({"auth": {"client_id": "x"}, "access": {"allowed": ["ada@example.org"]}})
    page = door()
    assert is_inside(page) is inside
    assert not page.exception
    assert [button.label for button in page.button] == (
        [] if inside else ["Log out" if user.is_logged_in else "Log in"]
    )


@pytest.mark.parametrize(
    ("user", "admitted"),
    [
        ({"email": "ADA@Example.org"}, True),
        ({"email": "bob@lab.org"}, True),
        ({"email": "bob@lab.org", "email_verified": False}, False),
        ({"email": "bob@sub.lab.org"}, False),
        ({"email": "bob@lab.org@evil.org"}, False),
        ({"email": "@lab.org"}, True),
        ({"email": None}, False),
        ({}, False),
    ],
)
def test_addresses_and_whole_domains_are_admitted(user: dict[str, Any], admitted: bool) -> None:
    assert access.is_admitted(user, ["ada@example.org", "@lab.org"]) is admitted
    assert access.is_admitted(user, [])
