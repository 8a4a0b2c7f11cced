"""Entry point: ``streamlit run dashboard/app.py`` (what ``emorl dashboard`` starts)."""

from __future__ import annotations

from importlib import resources

import streamlit as st

from dashboard import access, controls, selection
from dashboard.study import session
from dashboard.views import (
    annotate,
    atlas,
    compare,
    live,
    overview,
    results,
    study,
    training,
    weight_space,
)


def main() -> None:
    """Set up the page, the navigation and the shared choice of a run."""
    st.set_page_config(
        page_title="EMORL Atlas",
        page_icon=str(resources.files("dashboard") / "components" / "icon.svg"),
        layout="wide",
    )
    if session.is_annotators():
        _annotators_only()
        return
    pages = [
        st.Page(overview.render, title="Overview", url_path="overview", default=True),
        st.Page(training.render, title="Training", url_path="training"),
        st.Page(weight_space.render, title="Weight space", url_path="weight-space"),
        st.Page(live.render, title="Live ensemble", url_path="live"),
        st.Page(atlas.render, title="Atlas", url_path="atlas"),
        st.Page(compare.render, title="Compare methods", url_path="compare"),
        st.Page(annotate.render, title=annotate.TITLE, url_path="annotate"),
        st.Page(study.render, title=study.TITLE, url_path="study"),
        st.Page(results.render, title=results.TITLE, url_path="results"),
    ]
    may_enter = access.may_enter()
    page = st.navigation({"EMORL Atlas": pages}, position="sidebar" if may_enter else "hidden")
    if not may_enter:
        return
    controls.know_pages(pages)
    if page.title not in (annotate.TITLE, study.TITLE, results.TITLE):
        # Ratings are blind: no run and no weights beside them, not even in the URL.
        selection.read_url()
        with st.sidebar:
            controls.run_picker()
    page.run()


def _annotators_only() -> None:
    """Show whoever came by an invite one page: the others do not exist in this tab."""
    pages = [
        st.Page(annotate.render, title=annotate.TITLE, url_path="annotate"),
        # Whatever else is asked for leads to the default page.
        st.Page(_annotate_too, title=annotate.TITLE, url_path="rate", default=True),
    ]
    st.navigation(pages, position="hidden").run()


def _annotate_too() -> None:
    annotate.render()


if __name__ == "__main__":
    main()
