"""The 3D map: a real click on a point, a camera that stays, and a search seen live."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Page, TimeoutError, expect

from emorl_dashboard.components import source
from tests.e2e.conftest import OpenPage, serve, wait_until_ready
from tests.support.synthetic import SPECS, write_run

pytestmark = pytest.mark.browser

CAMERA = """() =>
  document.querySelector('.js-plotly-plot')?._fullLayout?.scene?._scene?.getCamera().eye ?? {}"""
# Plotly's own transformation of a point in space to a place in its canvas.
PLACE = """([x, y, z]) => {
  const scene = document.querySelector('.js-plotly-plot')._fullLayout.scene._scene;
  const camera = scene.glplot.cameraParams;
  const apply = (matrix, vector) => [0, 1, 2, 3].map(
    row => vector.reduce((sum, value, column) => sum + matrix[column * 4 + row] * value, 0));
  let point = [x, y, z].map((value, axis) => value * scene.dataScale[axis]).concat(1);
  for (const matrix of [camera.model, camera.view, camera.projection]) {
    point = apply(matrix, point);
  }
  const frame = scene.glplot.canvas.getBoundingClientRect();
  return [
    frame.left + frame.width * (0.5 + 0.5 * point[0] / point[3]),
    frame.top + frame.height * (0.5 - 0.5 * point[1] / point[3]),
  ];
}"""


PICTURE_IS = """format => {
  const chart = document.querySelector('.js-plotly-plot[data-clickable=yes]');
  return chart?._context?.toImageButtonOptions.format === format;
}"""


def wait_for_map(page: Page) -> None:
    page.wait_for_selector(".js-plotly-plot[data-clickable=yes][data-steady=yes]")


def click_point(page: Page, point: list[float]) -> None:
    """Click where the point is drawn, as a hand does: arrive, press, release."""
    x, y = page.evaluate(PLACE, point)
    hover(page, x, y)
    page.mouse.down()
    page.mouse.up()


def hover(page: Page, x: float, y: float) -> None:
    """Move about the point until its numbers show: Plotly looks only when it draws a frame."""
    label = page.locator(".js-plotly-plot .hovertext").first
    for _ in range(40):
        page.mouse.move(x - 8, y - 8)
        page.mouse.move(x, y, steps=4)
        try:
            label.wait_for(timeout=500)
        except TimeoutError:
            continue
        return
    raise AssertionError("no numbers show at the point")


def expect_camera(page: Page, eye: dict[str, float]) -> None:
    page.wait_for_function(
        """([camera, eye]) => {
          const now = eval(`(${camera})`)();
          return ['x', 'y', 'z'].every(axis => Math.abs(now[axis] - eye[axis]) < 1e-6);
        }""",
        arg=[CAMERA, eye],
    )


def rotate(page: Page) -> dict[str, float]:
    """Turn the map by hand; return where the camera comes to rest."""
    box = page.locator(".js-plotly-plot").bounding_box()
    assert box is not None
    start = page.evaluate(CAMERA)
    page.mouse.move(box["x"] + 60, box["y"] + 120)
    page.mouse.down()
    for step in range(1, 7):
        # Plotly turns the view when it draws: a frame for each move, also on a busy machine.
        page.mouse.move(box["x"] + 60 + 22 * step, box["y"] + 120 + 5 * step)
        page.evaluate("() => new Promise(done => requestAnimationFrame(() => setTimeout(done)))")
    page.mouse.up()
    turned = camera_at_rest(page)
    assert turned != start
    return turned


def camera_at_rest(page: Page) -> dict[str, float]:
    eye = page.evaluate(CAMERA)
    for _ in range(100):
        page.wait_for_timeout(200)
        before, eye = eye, page.evaluate(CAMERA)
        if eye == before:
            break
    found: dict[str, float] = eye
    return found


def test_a_click_on_a_point_shows_its_responses(watched: OpenPage, site: str) -> None:
    seen = watched(site)
    page = seen.open(f"{site}/weight-space?run=finished")
    wait_for_map(page)
    click_point(page, [1.0, 0.0, 0.5])
    expect(page.get_by_text("All responses at weights 1,0,0.5")).to_be_visible()
    expect(page.get_by_role("heading", name="Selected point")).to_be_visible()
    expect(page).to_have_url(f"{site}/weight-space?run=finished&w=1%2C0%2C0.5")
    assert seen.complaints == []


def test_a_rotation_selects_nothing_and_the_camera_survives_a_rerun(
    watched: OpenPage, site: str
) -> None:
    seen = watched(site)
    page = seen.open(f"{site}/weight-space?run=finished")
    wait_for_map(page)
    turned = rotate(page)
    page.get_by_role("combobox", name="Colour").click()
    page.get_by_role("option", name="empathy").click()
    expect(page.get_by_text("Empathy over weights")).to_be_visible()
    expect_camera(page, turned)
    assert "w=" not in page.url
    assert seen.complaints == []


def test_a_row_of_the_table_selects_its_point(watched: OpenPage, site: str) -> None:
    seen = watched(site)
    page = seen.open(f"{site}/weight-space?run=finished")
    table = page.get_by_test_id("stDataFrame").last
    table.scroll_into_view_if_needed()
    # Rows are drawn on a canvas; the check box of the first one is below the head's.
    table.click(position={"x": 16, "y": 53})
    expect(page.get_by_role("heading", name="Selected point")).to_be_visible()
    expect(page.get_by_text("All responses at weights 0.9375,0.75,0.3125")).to_be_visible()
    assert seen.complaints == []


def test_a_link_restores_colour_rounds_and_selection(watched: OpenPage, site: str) -> None:
    seen = watched(site)
    page = seen.open(f"{site}/weight-space?run=finished&w=1,0,0.5&colour=fluency&round=1")
    expect(page.get_by_text("Fluency over weights")).to_be_visible()
    expect(page.get_by_text("The same 27 points as a table")).to_be_visible()
    expect(page.get_by_text("All responses at weights 1,0,0.5")).to_be_visible()


def test_a_point_in_two_dimensions_can_be_clicked_too(watched: OpenPage, site: str) -> None:
    seen = watched(site)
    page = seen.open(f"{site}/weight-space?run=two-objectives")
    page.wait_for_selector(".js-plotly-plot[data-clickable=yes]")
    # Points of the first round lie apart; this one is at (0.5, 0).
    x, y = page.evaluate(
        """() => {
          const chart = document.querySelector('.js-plotly-plot');
          const {xaxis, yaxis} = chart._fullLayout;
          const frame = chart.getBoundingClientRect();
          return [frame.left + xaxis._offset + xaxis.l2p(0.5),
                  frame.top + yaxis._offset + yaxis.l2p(0)];
        }"""
    )
    hover(page, x, y)
    page.mouse.down()
    page.mouse.up()
    expect(page.get_by_text("All responses at weights 0.5,0", exact=True)).to_be_visible()


def test_a_click_between_the_points_of_the_triangle_selects_on_all_pages(
    watched: OpenPage, site: str
) -> None:
    seen = watched(site)
    page = seen.open(f"{site}/weight-space?run=finished&view=Triangle")
    page.wait_for_selector(".js-plotly-plot[data-clickable=yes]")
    # Shares 0.7, 0.15 and 0.15: far from every direction that the search evaluated.
    x, y = page.evaluate(
        """() => {
          const chart = document.querySelector('.js-plotly-plot');
          chart.scrollIntoView({block: 'center'});
          const {xaxis, yaxis} = chart._fullLayout;
          const frame = chart.getBoundingClientRect();
          return [frame.left + xaxis._offset + xaxis.l2p(0.15 + 0.075),
                  frame.top + yaxis._offset + yaxis.l2p(0.15 * Math.sqrt(3) / 2)];
        }"""
    )
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.up()
    expect(page.get_by_role("heading", name="Selected point")).to_be_visible()
    page.wait_for_url("**w=*")
    chosen = parse_qs(urlsplit(page.url).query)["w"][0]
    weights = [float(weight) for weight in chosen.split(",")]
    shares = [weight / sum(weights) for weight in weights]
    assert shares == pytest.approx([0.7, 0.15, 0.15], abs=0.01)  # a pixel is 1/500
    page.reload()
    expect(page.get_by_text(f"All responses at weights {chosen}")).to_be_visible()
    page.get_by_role("link", name="Overview").click()
    page.get_by_role("link", name="Weight space", exact=True).click()
    expect(page.get_by_text(f"All responses at weights {chosen}")).to_be_visible()
    assert parse_qs(urlsplit(page.url).query)["w"] == [chosen]
    assert seen.complaints == []


def test_the_field_is_drawn_in_the_cube_and_its_points_can_be_clicked(
    watched: OpenPage, site: str
) -> None:
    seen = watched(site)
    page = seen.open(f"{site}/weight-space?run=finished&field=true&view=Map&view=Trade-off")
    wait_for_map(page)
    kinds = page.evaluate(
        "() => document.querySelector('.js-plotly-plot')._fullData.map(trace => trace.type)"
    )
    assert "mesh3d" in kinds
    click_point(page, [1.0, 0.0, 0.5])
    expect(page.get_by_text("All responses at weights 1,0,0.5")).to_be_visible()
    # The other view moves along.
    page.wait_for_function(
        """() => [...document.querySelectorAll('.js-plotly-plot')].some(chart =>
          chart._fullData?.some(trace => trace.name === 'selected, with 95 % intervals'))"""
    )
    assert seen.complaints == []


@pytest.mark.parametrize("view", ["Map", "Triangle"])
def test_the_camera_saves_a_picture_in_the_chosen_format(
    watched: OpenPage, site: str, view: str
) -> None:
    page = watched(site).open(f"{site}/weight-space?run=finished&view={view}")
    page.wait_for_selector(".js-plotly-plot[data-clickable=yes]")
    for chosen, beginning in (("PNG", b"\x89PNG"), ("SVG", b"<svg")):
        page.get_by_role("button", name="Export", exact=True).first.click()
        page.get_by_test_id("stPopoverBody").get_by_text(chosen, exact=True).click()
        page.keyboard.press("Escape")
        page.wait_for_function(PICTURE_IS, arg=chosen.lower())
        wait_until_ready(page)
        with page.expect_download() as saved:
            page.locator(".js-plotly-plot").first.hover()
            page.locator(".modebar-btn[data-title*='Download plot']").first.click()
        assert saved.value.suggested_filename == f"finished-{view.lower()}.{chosen.lower()}"
        assert Path(saved.value.path()).read_bytes().startswith(beginning)


def test_new_evaluations_appear_while_the_search_runs_and_the_camera_stays(
    watched: OpenPage, tmp_path: Path
) -> None:
    artifacts = tmp_path / "live"
    folder = write_run(artifacts, replace(SPECS["running"], rounds=1))
    later = write_run(tmp_path / "later", SPECS["running"])
    with serve(artifacts, tmp_path / "live.log") as site:
        seen = watched(site)
        page = seen.open(f"{site}/weight-space")
        wait_for_map(page)
        expect(page.get_by_text("The same 27 points as a table")).to_be_visible()
        turned = rotate(page)
        for snapshot in later.published.iterdir():
            beside = shutil.copy(snapshot, folder.published / f"{snapshot.name}.tmp")
            os.replace(beside, folder.published / snapshot.name)  # noqa: PTH105 - as the engine
        expect(page.get_by_text("The same 54 points as a table")).to_be_visible()
        expect_camera(page, turned)
        assert seen.complaints == []


def test_a_picture_is_saved_when_the_chart_stands_still_and_outlives_its_end(
    chromium: Browser,
) -> None:
    """A stand-in for a chart: the real one is redrawn during a save too rarely to wait for."""
    page = chromium.new_page()
    page.set_content(
        """<div data-testid="stApp" data-test-script-state="running"><div class="st-key-cube">
        <div class="js-plotly-plot"><a class="modebar-btn"
        data-title="Download plot as a PNG">save</a></div></div></div>"""
    )
    said = page.evaluate(
        """async (source) => {
            const start = new Function(`${source}; return component;`)();
            const app = document.querySelector("[data-testid=stApp]");
            const chart = document.querySelector(".js-plotly-plot");
            Object.assign(chart, { _fullLayout: {}, _context: { locale: "en" }, on: () => {} });
            const languages = [];
            const saved = new Promise((resolve) => {
                chart.querySelector("a").addEventListener("click", () => {
                    languages.push("begun");
                    delete chart._context;  // as Plotly does when the chart is taken away
                    languages.push(chart._context.locale);
                    resolve();
                });
            });
            start({ data: { chart: "cube" }, setTriggerValue: () => {} });
            chart.querySelector("a").click();
            const before = [...languages];
            app.setAttribute("data-test-script-state", "notRunning");
            await saved;
            return [before, languages];
        }""",
        source("point_click.js").replace("export default function", "function component"),
    )
    page.close()
    assert said == [[], ["begun", "en"]]
