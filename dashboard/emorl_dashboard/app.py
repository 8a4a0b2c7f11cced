"""Entry point of Streamlit: ``emorl dashboard`` starts it."""

from __future__ import annotations

import logging
from importlib import import_module, resources
from pathlib import Path

import streamlit as st
from streamlit.errors import FragmentHandledException
from streamlit.navigation.page import StreamlitPage

from emorl.errors import EmorlError
from emorl_dashboard.frames.plain import plain_message, without_folders
from emorl_dashboard.server import access
from emorl_dashboard.state import selection
from emorl_dashboard.study.rating import session
from emorl_dashboard.widgets import controls

log = logging.getLogger(__name__)

# Pages of the selected run: module of ``emorl_dashboard.views`` and title, the default page first.
# (A string below a name, as in other modules, would be drawn: Streamlit shows loose values.)
RUN_PAGES = {
    "overview": "Overview",
    "training": "Training",
    "weight_space": "Weight space",
    "live": "Live ensemble",
    "atlas": "Atlas",
    "compare": "Compare methods",
}

# Pages of human evaluation. Ratings are blind: no run and no weights, not even in the URL.
STUDY_PAGES = {"annotate": "Annotate", "study": "Study", "results": "Results"}

_FAILED = (
    "Something went wrong while this page was drawn, and the rest of it is missing. Load it "
    "again; if that does not help, ask who runs this dashboard: its log says what happened."
)


def main() -> None:
    """Set up the page, the navigation and the shared choice of a run."""
    st.set_page_config(
        page_title="EMORL Atlas",
        page_icon=str(resources.files("emorl_dashboard") / "components" / "icon.svg"),
        layout="wide",
    )
    # A file of styles: the theme's own settings have no colour for text on the primary colour.
    st.html(Path(str(resources.files("emorl_dashboard") / "components" / "theme.css")))
    if session.is_annotators():
        _annotators_only()
        return
    pages = {view: _page(view, title) for view, title in (RUN_PAGES | STUDY_PAGES).items()}
    may_enter = access.may_enter()
    page = st.navigation(
        {"EMORL Atlas": list(pages.values())}, position="sidebar" if may_enter else "hidden"
    )
    if not may_enter:
        return
    controls.know_pages(list(pages.values()))
    if page.title in RUN_PAGES.values():
        selection.read_url(page.title)
        with st.sidebar:
            controls.run_picker()
    else:
        selection.leave_pages()
    page.run()


def _page(view: str, title: str, *, url_path: str = "", is_default: bool = False) -> StreamlitPage:
    def render() -> None:
        try:
            # Imported when it is first opened: together, the pages take seconds to load.
            import_module(f"emorl_dashboard.views.{view}").render()
        except FragmentHandledException:
            raise  # Streamlit has told of it already
        except EmorlError as error:
            log.exception("The page %s cannot be drawn", title)
            st.error(f"This page cannot be drawn. {plain_message(without_folders(str(error)))}")
        except Exception:
            log.exception("The page %s failed", title)
            st.error(_FAILED)

    return st.Page(
        render,
        title=title,
        url_path=url_path or view.replace("_", "-"),
        default=is_default or view == next(iter(RUN_PAGES)),
    )


def _annotators_only() -> None:
    """Show whoever came by an invite one page: the others do not exist in this tab."""
    title = STUDY_PAGES["annotate"]
    pages = [
        _page("annotate", title),
        # Whatever else is asked for leads to the default page.
        _page("annotate", title, url_path="rate", is_default=True),
    ]
    st.navigation(pages, position="hidden").run()


if __name__ == "__main__":
    main()
