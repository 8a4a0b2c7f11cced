"""A chart or a table on a page, with its export: always all rows, never a picture of a part."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any, Literal

import streamlit as st

from emorl_dashboard.data.queries import Frame, Run

Figure = Any
"""A Plotly figure, for views that pass it on without looking inside."""

_PICTURES = ("png", "svg")
_IN_SPACE = {"scatter3d", "mesh3d", "isosurface"}


def chart(
    figure: Figure,
    *,
    key: str,
    name: str,
    rows: Frame,
    alt: str,
    rows_name: str = "",
    on_select: Literal["ignore"] | Callable[[], None] = "ignore",
) -> None:
    """Draw a figure and offer it as a file, with the rows that it shows.

    Args:
        figure: What to draw; its colours are its own.
        key: Of the chart; letters, digits, ``-`` and ``_`` only.
        name: Beginning of the files' names, e.g. ``demo-weight-space``.
        rows: All rows behind the figure; list columns are for Parquet and become text in CSV.
        alt: What the figure shows, for people who cannot see it.
        rows_name: Beginning of the names of the rows' files where other views offer the same rows;
            "": the figure's own.
        on_select: Called when points are selected; never for 3D points, which Streamlit ignores.
    """
    picture = st.session_state.get(f"{key}-picture", _PICTURES[0])
    st.plotly_chart(
        figure,
        key=key,
        theme=None,
        on_select=on_select,
        selection_mode="points",
        config={
            "displaylogo": False,
            "modeBarButtonsToRemove": ["lasso2d", "select2d"],
            "toImageButtonOptions": {"format": picture, "filename": name, "scale": 2},
            "plotGlPixelRatio": 1 if _is_3d(figure) else 2,
        },
        alt=alt,
    )
    with st.popover("Export", key=f"{key}-export", type="tertiary", width="content"):
        st.segmented_control(
            "The chart's camera saves",
            _PICTURES,
            default=_PICTURES[0],
            key=f"{key}-picture",
            format_func=str.upper,
            required=True,
        )
        _download(
            "Interactive page (HTML)", lambda: page_bytes(figure), f"{name}.html", "text/html", key
        )
        row_downloads(rows, rows_name or name, key)


def row_downloads(rows: Frame, name: str, key: str, what: str = "rows") -> None:
    """Offer all rows as CSV and Parquet, inside of whatever holds the exports of a view.

    Args:
        rows: The table.
        name: Beginning of the files' names.
        key: Beginning of the buttons' keys.
        what: Rows of what, in the plural.
    """
    count = f"1 {what.removesuffix('s')}" if len(rows) == 1 else f"{len(rows):,} {what}"
    _download(f"{count} as CSV", lambda: csv_bytes(rows), f"{name}.csv", "text/csv", key)
    _download(
        f"{count} as Parquet",
        lambda: parquet_bytes(rows),
        f"{name}.parquet",
        "application/vnd.apache.parquet",
        key,
    )


def export_rows(rows: Frame, *, key: str, name: str) -> None:
    """Offer all rows of a table as CSV and Parquet."""
    with st.popover("Export", key=f"{key}-export", type="tertiary", width="content"):
        row_downloads(rows, name, key)


def file_name(run: Run, view: str) -> str:
    """Return the beginning of the names of a view's files."""
    return f"{run.run_id}-{view}"


def page_bytes(figure: Figure) -> bytes:
    """Return a page that draws the figure without a network."""
    return str(figure.to_html(include_plotlyjs=True, config={"displaylogo": False})).encode()


def csv_bytes(rows: Frame) -> bytes:
    """Return all rows as CSV in UTF-8."""
    return rows.to_csv(index=False).encode()


def parquet_bytes(rows: Frame) -> bytes:
    """Return all rows as Parquet."""
    buffer = io.BytesIO()
    rows.to_parquet(buffer, index=False)
    return buffer.getvalue()


def _is_3d(figure: Figure) -> bool:
    # Plotly draws four times the pixels of a common screen, which takes seconds without a GPU.
    # In space its edges are smooth anyway; ``components/point_click.js`` sharpens fine screens.
    return any(trace.type in _IN_SPACE for trace in figure.data)


def _download(label: str, content: Callable[[], bytes], file: str, kind: str, key: str) -> None:
    # A function: the bytes are made when somebody asks for them, not at every drawing.
    st.download_button(
        label,
        content,
        file_name=file,
        mime=kind,
        key=f"{key} {file}",
        on_click="ignore",
        type="tertiary",
    )
