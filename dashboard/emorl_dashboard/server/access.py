"""Who may see the dashboard, and whether it may change anything.

Three ways to be asked who one is, in this order: OpenID Connect through Streamlit's own login
(``[auth]`` in ``.streamlit/secrets.toml``), one shared password (``[access] password``), or not
at all, which is right for a dashboard that only its own machine can reach. ``docs/sharing.md``
has the recipes.
"""

from __future__ import annotations

import hmac
import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.errors import StreamlitSecretNotFoundError

from emorl_dashboard.server.read_only import READ_ONLY as READ_ONLY
from emorl_dashboard.server.read_only import is_read_only as is_read_only

READ_ONLY_NOTE = (
    "This dashboard is read-only: nothing is generated or written here. "
    "`emorl dashboard` without `--read-only` allows it."
)

LEAST_PASSWORD = 12
"""Shorter passwords are refused: there is no limit on guesses."""

_ENTERED, _GIVEN = "entered by password", "password that was given"


def may_enter() -> bool:
    """Tell whether this visitor may see pages; where not, the way in is drawn instead."""
    settings = _secrets()
    if settings is None:
        return _refuse("secrets.toml cannot be read, so nobody can log in. Ask who runs this.")
    access = settings.get("access", {})
    if not isinstance(access, Mapping):
        return _refuse("[access] in secrets.toml must be a table.")
    if "auth" in settings:
        return _by_login(access.get("allowed", ()))
    if "password" in access:
        return _by_password(access["password"])
    return True


def is_admitted(user: Mapping[str, Any], allowed: Sequence[str]) -> bool:
    """Tell whether a logged-in user is on the list.

    Args:
        user: Claims of the provider: ``email``, and ``email_verified`` where it says so.
        allowed: E-mail addresses, or ``@lab.org`` for everyone of a domain; empty admits
            everyone whom the provider lets in.
    """
    if not allowed:
        return True
    email = str(user.get("email") or "").lower()
    if "@" not in email or user.get("email_verified") is False:
        return False
    domain = email[email.rindex("@") :]
    return any(entry.lower() in (email, domain) for entry in allowed)


def _by_login(allowed: object) -> bool:
    if not isinstance(allowed, Sequence) or isinstance(allowed, str):
        return _refuse("[access] allowed in secrets.toml must be a list of texts.")
    if importlib.util.find_spec("authlib") is None:
        return _refuse("A login is configured but Authlib is missing: pip install authlib")
    if not st.user.is_logged_in:
        st.title("EMORL Atlas", anchor=False)
        st.button("Log in", on_click=st.login, type="primary")
        return False
    if is_admitted(st.user.to_dict(), [str(entry) for entry in allowed]):
        return True
    st.button("Log out", on_click=st.logout)
    return _refuse("This account is not on the list of this dashboard. Ask who runs it.")


def _by_password(password: object) -> bool:
    if not isinstance(password, str) or len(password) < LEAST_PASSWORD:
        return _refuse(
            f"[access] password in secrets.toml must be a text of {LEAST_PASSWORD} characters or "
            "more."
        )
    if st.session_state.get(_ENTERED):
        return True
    st.title("EMORL Atlas", anchor=False)
    with st.form("way in", width=420):
        st.text_input("Password", type="password", max_chars=200, key=_GIVEN)
        st.form_submit_button("Enter", type="primary", on_click=_try, args=(password,))
    if _ENTERED in st.session_state:
        st.error("This is not the password.")
    return False


def _try(password: str) -> None:
    given = str(st.session_state.get(_GIVEN, ""))
    st.session_state[_ENTERED] = hmac.compare_digest(given.encode(), password.encode())


def _refuse(reason: str) -> bool:
    st.error(reason)
    return False


def _secrets() -> Mapping[str, Any] | None:
    """Return the secrets; None where there is a file that is no TOML: then the door stays shut."""
    try:
        return st.secrets.to_dict()
    except StreamlitSecretNotFoundError:
        files = st.get_option("secrets.files")
        return None if any(Path(file).exists() for file in files) else {}
