"""What others wrote never becomes a picture or a link in a message."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from emorl_dashboard.frames.plain import plain, plain_message, without_folders

PICTURE = "![a](http://elsewhere.test/x.png)"


def test_no_mark_of_markdown_is_left_bare() -> None:
    assert plain(PICTURE) == r"\!\[a\](http\://elsewhere.test/x.png)"
    assert plain("a_b **c** <d> $e$ `f` #g") == r"a\_b \*\*c\*\* \<d\> \$e\$ \`f\` \#g"
    assert plain("Nothing to mark, 3.5 %.") == "Nothing to mark, 3.5 %."


def test_only_whole_commands_of_a_message_are_code() -> None:
    assert plain_message("Go on with `emorl run a_b`.") == "Go on with `emorl run a_b`."
    assert plain_message(f"`a` {PICTURE} `b") == f"`a` {plain(PICTURE)} " + r"\`b"
    assert plain_message("``a_b`` `\n`") == plain("``a_b`` `\n`")


def test_folders_of_the_machine_are_left_out_and_the_rest_stays() -> None:
    assert without_folders("Cannot read /srv/lab/runs/a/data.csv: gone.") == (
        "Cannot read data.csv: gone."
    )
    assert without_folders("('/srv/lab/x.toml')") == "('x.toml')"
    for text in ("see https://host.test/a/b.html", "and/or 3/4", "artifacts/runs/a", "~/x/y"):
        assert without_folders(text) == text


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize("name", ["run", "w"])
@pytest.mark.parametrize("view", ["weight_space", "live", "atlas", "compare"])
def test_a_crafted_link_fetches_nothing(name: str, view: str) -> None:
    def script(view: str) -> None:
        from importlib import import_module

        from emorl_dashboard.state import selection

        selection.read_url("page")
        import_module(f"emorl_dashboard.views.{view}").render()

    page = AppTest.from_function(script, args=(view,), default_timeout=60)
    page.query_params["run"] = "finished"
    page.query_params[name] = PICTURE + (",1,1" if name == "w" else "")
    page.run()
    assert not page.exception
    told = "\n".join(
        str(element.value)
        for block in (page.error, page.warning, page.info, page.markdown, page.caption)
        for element in block
    )
    assert "elsewhere.test" in told
    assert "![a](" not in told
