"""Entry point: ``streamlit run dashboard/app.py`` (what ``emorl dashboard`` starts)."""

from __future__ import annotations

from importlib import resources

import streamlit as st

from dashboard import controls, selection
from dashboard.views import annotate, live, overview, training, weight_space


def main() -> None:
    """Set up the page, the navigation and the shared choice of a run."""
    st.set_page_config(
        page_title="EMORL Atlas",
        page_icon=str(resources.files("dashboard") / "components" / "icon.svg"),
        layout="wide",
    )
    pages = [
        st.Page(overview.render, title="Overview", url_path="overview", default=True),
        st.Page(training.render, title="Training", url_path="training"),
        st.Page(weight_space.render, title="Weight space", url_path="weight-space"),
        st.Page(live.render, title="Live ensemble", url_path="live"),
        st.Page(annotate.render, title=annotate.TITLE, url_path="annotate"),
    ]
    page = st.navigation({"EMORL Atlas": pages})
    controls.know_pages(pages)
    if page.title != annotate.TITLE:
        # Ratings are blind: no run and no weights beside them, not even in the URL.
        selection.read_url()
        with st.sidebar:
            controls.run_picker()
    page.run()


if __name__ == "__main__":
    main()
