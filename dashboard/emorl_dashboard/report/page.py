"""Sections as one HTML page: escaped texts, tables, and figures in the inks of both themes."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from html import escape
from importlib import resources

import pandas as pd
import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from emorl_dashboard.figures.palette import NAMES, Ink, ink
from emorl_dashboard.frames.numbers import MISSING

_SHORT = 28
"""Characters of a text that stays on one line."""

Draw = Callable[[Ink], go.Figure]


@dataclass(frozen=True, slots=True)
class Drawing:
    """A figure as a function of the theme's inks, and what it shows in words."""

    draw: Draw
    alt: str


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the report, in the order: sentences, figures, tables."""

    title: str
    sentences: Sequence[str] = ()
    drawings: Sequence[Drawing] = ()
    tables: Sequence[pd.DataFrame] = ()
    code: str = ""
    """Text of a file, kept as it is."""
    legend: Sequence[str] = field(default=())
    """Objectives whose colours the figures use, in their order."""


def page_text(title: str, sections: Sequence[Section]) -> str:
    """Return the page; it holds Plotly once and asks no server for anything.

    Args:
        title: Heading and name of the window.
        sections: Parts, in order.
    """
    figures: list[dict[str, object]] = []
    body = "\n".join(_section(section, figures) for section in sections)
    contents = "".join(
        f'<li><a href="#{_anchor(section)}">{escape(section.title)}</a></li>'
        for section in sections
    )
    template = _file("report.html")
    for name, text in (
        ("title", escape(title)),
        ("style", _file("report.css")),
        ("contents", contents),
        ("body", body),
        ("figures", _safe_json(figures)),
        ("script", _file("report.js")),
        # Last: its text is long, and no placeholder is looked for in it.
        ("plotly", get_plotlyjs()),
    ):
        template = template.replace(f"<!-- {name} -->", text)
    return template


def table_html(frame: pd.DataFrame) -> str:
    """Return a table; numbers have three decimals, texts their own direction."""
    head = "".join(f"<th scope='col'>{escape(str(name))}</th>" for name in frame.columns)
    rows = "".join(
        f"<tr>{''.join(_cell(value) for value in row)}</tr>"
        for row in frame.itertuples(index=False, name=None)
    )
    body = f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody>"
    return f"<div class='scroll'><table>{body}</table></div>"


def _section(section: Section, figures: list[dict[str, object]]) -> str:
    parts = [f'<section id="{_anchor(section)}"><h2>{escape(section.title)}</h2>']
    parts += [
        f"<p dir='auto'>{escape(sentence)}</p>" for sentence in section.sentences if sentence
    ]
    if section.legend:
        items = (
            f"<li><span class='mark' data-objective='{place % len(NAMES)}'></span>"
            f"{escape(name)}</li>"
            for place, name in enumerate(section.legend)
        )
        parts.append(f"<ul class='legend'>{''.join(items)}</ul>")
    if section.drawings:
        parts.append("<div class='figures'>")
        for drawing in section.drawings:
            parts.append(_figure(drawing, figures))
        parts.append("</div>")
    parts += [table_html(table) for table in section.tables if len(table)]
    if section.code:
        parts.append(f"<pre>{escape(section.code)}</pre>")
    return "\n".join([*parts, "</section>"])


def _figure(drawing: Drawing, figures: list[dict[str, object]]) -> str:
    themes = {
        name: json.loads(drawing.draw(ink(dark=name == "dark")).to_json())
        for name in ("light", "dark")
    }
    figures.append(themes)
    height = themes["light"]["layout"].get("height", 400)
    name = f"figure-{len(figures) - 1}"
    return (
        f'<figure><figcaption id="{name}-says">{escape(drawing.alt)}</figcaption>'
        f'<div id="{name}" role="img" aria-labelledby="{name}-says" '
        f'style="min-height:{int(height)}px"></div></figure>'
    )


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return f"<td>{'yes' if value else 'no'}</td>"
    if value is None or (isinstance(value, float) and pd.isna(value)):
        return f"<td>{MISSING}</td>"
    if isinstance(value, float):
        return f"<td class='number'>{value:,.3f}</td>"
    if isinstance(value, int):
        return f"<td class='number'>{value:,}</td>"
    text = str(value)
    kind = " class='short'" if len(text) <= _SHORT else ""
    return f"<td{kind} dir='auto'>{escape(text)}</td>"


def _anchor(section: Section) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in section.title.lower())


def _safe_json(content: object) -> str:
    """Return JSON that cannot end the script element it stands in."""
    text = json.dumps(content, ensure_ascii=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _file(name: str) -> str:
    return (resources.files("emorl_dashboard.report") / name).read_text(encoding="utf-8")
