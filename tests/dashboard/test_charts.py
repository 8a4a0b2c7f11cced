"""What a chart's export holds: all rows, and a page that opens without a network."""

from __future__ import annotations

import io
import re

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from streamlit.testing.v1 import AppTest

from emorl_dashboard.widgets import charts

ROWS = pd.DataFrame(
    {
        "prompt": ["<script>", "a,b\nc", "\u202eright to left 😀"],
        "weights": [[1.0, 0.5], [0.0, 1.0], None],
        "score": [0.25, np.nan, 1.0],
    }
)


def test_csv_holds_every_row_and_lists_as_text() -> None:
    read = pd.read_csv(io.BytesIO(charts.csv_bytes(ROWS)))
    assert list(read["prompt"]) == list(ROWS["prompt"])
    assert read["weights"][0] == "[1.0, 0.5]"
    assert len(charts.csv_bytes(ROWS.iloc[:0]).splitlines()) == 1


def test_parquet_holds_every_row_and_lists_as_lists() -> None:
    long = pd.concat([ROWS] * 4000, ignore_index=True)
    read = pd.read_parquet(io.BytesIO(charts.parquet_bytes(long)))
    assert len(read) == 12_000
    assert list(read["weights"][1]) == [0.0, 1.0]
    assert read["weights"][2] is None


@pytest.mark.parametrize(("n_rows", "label"), [(1, "1 row as CSV"), (2, "2 rows as CSV")])
def test_an_export_counts_its_rows(n_rows: int, label: str) -> None:
    def script(n_rows: int) -> None:
        from emorl_dashboard.widgets import charts
        from tests.dashboard.test_charts import ROWS

        charts.export_rows(ROWS.iloc[:n_rows], key="rows", name="rows")

    page = AppTest.from_function(script, args=(n_rows,)).run()
    assert label in [button.proto.label for button in page.get("download_button")]


def test_the_page_of_a_chart_carries_plotly_and_fetches_nothing() -> None:
    text = charts.page_bytes(go.Figure(go.Scatter(x=[1], y=[2], text=["</script><b>x"]))).decode()
    assert "plotly.js v" in text
    assert not re.search(r"<(script|link)[^>]+(src|href)=", text)
    assert "</script><b>x" not in text
