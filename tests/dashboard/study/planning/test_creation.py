"""A draft becomes a sealed plan: systems from runs, weights and files; the checks before."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from emorl.errors import DataError, RunNotFoundError, StudyError
from emorl.runs.folder import Phase, Status, run_folder
from emorl.runs.snapshots import snapshot_rows
from emorl_dashboard.study.owner import steps
from emorl_dashboard.study.planning import offers as offered
from emorl_dashboard.study.planning import sources as source_texts
from emorl_dashboard.study.planning.creation import prepare, seal
from emorl_dashboard.study.planning.draft import (
    create_draft,
    list_drafts,
    read_draft,
    with_sources,
    write_draft,
)
from emorl_dashboard.study.planning.offers import offers
from emorl_dashboard.study.planning.sources import Source
from emorl_dashboard.study.protocol.comparisons import fewest_shared_prompts
from emorl_dashboard.study.protocol.guidelines import Level
from emorl_dashboard.study.protocol.plan import Mode, StudyPlan, read_plan
from emorl_dashboard.study.reporting.planned_power import smallest_found
from tests.dashboard.study.samples import (
    GUIDELINES,
    SYSTEMS,
    draft_of,
    sealed,
    system_sources,
    write_finished_run,
)
from tests.support.synthetic import SPECS, write_run

pytestmark = pytest.mark.slow

# Prompt 0: all five differ. Prompt 1: base and two adapters agree. Prompt 2: all agree.
TEXTS = {
    system: [f"Text {n}", "Shared" if n < 3 else f"Own {n}", "Everybody says this"]
    for n, system in enumerate(SYSTEMS)
}


def messages(artifacts: Path, **changes: object) -> str:
    prepared = prepare(artifacts, draft_of(**{"sources": system_sources()} | changes))
    return "\n".join(f"{finding.severity}: {finding.message}" for finding in prepared.findings)


def test_equal_texts_to_one_prompt_are_one_item_that_counts_for_each_system(
    tmp_path: Path,
) -> None:
    write_finished_run(tmp_path, TEXTS)
    plan = sealed(tmp_path)
    # 5 + (1 shared + 2 own) + 1 = 9 items for 5 systems x 3 prompts.
    assert len(plan.items) == 9
    rated_for = [(s, item.prompt_index) for item in plan.items for s in item.systems]
    assert sorted(rated_for) == sorted((s, index) for s in SYSTEMS for index in range(3))
    shared = next(item for item in plan.items if item.response == "Shared")
    assert set(shared.systems) == set(SYSTEMS[:3])


def test_a_pairwise_study_compares_every_two_different_texts(tmp_path: Path) -> None:
    write_finished_run(tmp_path, TEXTS)
    plan = sealed(tmp_path, mode="pairwise")
    # Prompt 0: 5 texts, 10 pairs. Prompt 1: 3 texts, 3 pairs. Prompt 2: one text, none.
    assert sorted(item.prompt_index for item in plan.items) == [0] * 10 + [1] * 3
    for item in plan.items:
        assert item.other_response is not None
        assert not set(item.systems) & set(item.other_systems)
        assert item.response == TEXTS[item.systems[0]][item.prompt_index]
        assert item.other_response == TEXTS[item.other_systems[0]][item.prompt_index]
    # Which text is called a does not follow the alphabet, else it would tell the system.
    assert len({item.response < item.other_response for item in plan.items}) == 2  # type: ignore[operator]


def test_items_are_greedy_responses_with_the_prompts_of_the_inference_split(
    tmp_path: Path,
) -> None:
    write_finished_run(tmp_path, TEXTS)
    for item in sealed(tmp_path).items:
        assert item.prompt == f"Client {item.prompt_index} says this."
        assert item.response == TEXTS[item.systems[0]][item.prompt_index]


def test_the_order_of_items_in_the_plan_is_that_of_their_codes(tmp_path: Path) -> None:
    write_finished_run(tmp_path, TEXTS)
    codes = [item.code for item in sealed(tmp_path, n_gold=0, n_repeats=2).items]
    assert codes == sorted(codes)
    assert len(set(codes)) == 11


def test_the_same_seed_gives_the_same_codes_and_another_seed_others(tmp_path: Path) -> None:
    write_finished_run(tmp_path, TEXTS)

    def codes(seed: str) -> set[str]:
        draft = draft_of(sources=system_sources(), seed=seed)
        return {item.code for item in prepare(tmp_path, draft).plan.items}

    assert codes("one") == codes("one")
    assert not codes("one") & codes("two")


def test_a_changed_run_does_not_change_its_study(tmp_path: Path) -> None:
    write_finished_run(tmp_path, TEXTS)
    plan = sealed(tmp_path)
    for file in run_folder(tmp_path, "demo").published.iterdir():
        file.unlink()
    assert read_plan(tmp_path, "demo") == plan


def test_after_sealing_neither_draft_nor_plan_can_be_changed(tmp_path: Path) -> None:
    write_finished_run(tmp_path, TEXTS)
    sealed(tmp_path)
    before = read_plan(tmp_path, "demo")
    assert list_drafts(tmp_path) == []
    for change in (
        lambda: seal(tmp_path, "demo"),
        lambda: write_draft(tmp_path, draft_of(n_gold=9)),
        lambda: create_draft(tmp_path, draft_of()),
    ):
        with pytest.raises(StudyError, match=r"sealed|already"):
            change()
    assert read_plan(tmp_path, "demo") == before


def test_a_draft_is_read_as_it_was_written(tmp_path: Path) -> None:
    draft = draft_of(
        sources=(*system_sources("base"), Source(kind="weights", run_id="r", weights=(1.0, 0.5))),
        mode="pairwise",
    )
    create_draft(tmp_path, draft)
    assert read_draft(tmp_path, "demo") == draft


@pytest.mark.parametrize("phase", ["training", "searching", "failed", "interrupted"])
def test_an_unfinished_run_is_refused_with_what_to_do(tmp_path: Path, phase: Phase) -> None:
    write_finished_run(tmp_path, TEXTS)
    run_folder(tmp_path, "demo").write_status(Status(run_id="demo", phase=phase))
    assert offers(tmp_path) == []
    with pytest.raises(
        StudyError, match=r"needs the final responses of a finished run.*emorl run"
    ):
        sealed(tmp_path)
    assert not (tmp_path / "studies" / "demo" / "plan.json").exists()


def test_an_unknown_run_names_those_that_are_there(tmp_path: Path) -> None:
    write_finished_run(tmp_path, TEXTS)
    with pytest.raises(RunNotFoundError, match=r"no run 'other'.*there are: demo"):
        prepare(tmp_path, draft_of(sources=system_sources("base", run_id="other")))


def test_a_missing_system_is_refused_with_what_to_do(tmp_path: Path) -> None:
    write_finished_run(tmp_path, TEXTS)
    (run_folder(tmp_path, "demo").published / "system_responses.parquet").unlink()
    with pytest.raises(StudyError, match=r"got 0 responses to 3 prompts.*completes it"):
        prepare(tmp_path, draft_of(sources=system_sources("base")))


def test_an_ensemble_at_any_weights_is_looked_up_in_the_atlas(tmp_path: Path) -> None:
    write_run(tmp_path, SPECS["finished"])
    # In the synthetic atlas response 5 wins where the first weight is larger than the second.
    sources = tuple(
        Source(kind="weights", run_id="finished", split="aggregation", weights=weights)
        for weights in ((1.0, 0.5, 0.1), (0.3, 0.4, 0.1))
    )
    plan = prepare(tmp_path, draft_of(sources=sources)).plan
    texts = {item.systems: item.response for item in plan.items}
    assert texts == {("w=1,0.5,0.1",): "Response 5.", ("w=0.3,0.4,0.1",): "Response 6."}
    assert [system.weights for system in plan.systems] == [(1.0, 0.5, 0.1), (0.3, 0.4, 0.1)]
    with pytest.raises(StudyError, match="emorl atlas finished --split inference"):
        prepare(tmp_path, draft_of(sources=(replace(sources[0], split="inference"),)))
    with pytest.raises(StudyError, match="no ensemble"):
        prepare(tmp_path, draft_of(sources=(replace(sources[0], weights=(0.0, 0.0, 0.0)),)))


def test_what_a_search_found_is_a_system_under_the_methods_name(tmp_path: Path) -> None:
    write_run(tmp_path, SPECS["finished"])
    (offer,) = offers(tmp_path)
    (method,) = (one for one in offer.methods if one.name == "hierarchical search")
    evaluations = snapshot_rows(run_folder(tmp_path, "finished"), "evaluations")
    best = max(
        (row for row in evaluations if row["search"] == "hierarchical" and row["mean_reward"]),
        key=lambda row: row["mean_reward"],
    )
    assert method.weights == tuple(best["weights"])
    (source,) = steps.sources_of(offer, (), (), "aggregation", ["hierarchical"])
    (system,) = prepare(tmp_path, draft_of(sources=(source,))).plan.systems
    assert (system.name, system.weights) == ("hierarchical search", method.weights)
    with pytest.raises(StudyError, match="No method 'annealing' has found weights"):
        steps.sources_of(offer, (), (), "aggregation", ["annealing"])


def test_a_method_without_an_atlas_takes_the_texts_of_the_system_with_its_weights(
    tmp_path: Path,
) -> None:
    write_finished_run(tmp_path, TEXTS)
    source = Source(kind="weights", run_id="demo", weights=(1.875, 1.1875, 0.1875))
    plan = prepare(tmp_path, draft_of(sources=(source,))).plan  # "best", up to scale
    assert {item.response for item in plan.items} == set(TEXTS["best"])


def imported(tmp_path: Path, name: str, content: str) -> StudyPlan:
    file = tmp_path / "studies" / "demo" / "sources" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content, encoding="utf-8")
    draft = with_sources(draft_of(), Source(kind="file", path=f"sources/{name}"))
    return prepare(tmp_path, draft).plan


def test_systems_of_a_file_are_taken_over(tmp_path: Path) -> None:
    csv = 'system,prompt,response\none,"Hi, you","Yes, ""really"""\ntwo,"Hi, you",\n'
    plan = imported(tmp_path, "talks.csv", csv)
    found = {(item.systems, item.data_set, item.prompt, item.response) for item in plan.items}
    assert found == {
        (("one",), "talks", "Hi, you", 'Yes, "really"'),
        (("two",), "talks", "Hi, you", ""),
    }
    line = '{"system": "s", "prompt": "p\u2028q", "response": "r", "prompt_index": 7}\n'
    (item,) = imported(tmp_path, "more.jsonl", line + "\n").items
    assert (item.prompt, item.prompt_index, item.source_item) == ("p\u2028q", 7, "more/7")
    csv = "system,prompt,response\ns,p,one\u2028two\x0bthree\x85four\n"
    (item,) = imported(tmp_path, "last.csv", csv).items
    assert item.response == "one\u2028two\x0bthree\x85four"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", "system,prompt\nx,y\n", "lacks the columns response"),
        ("a.csv", "system,prompt,response\n", "has no rows"),
        ("a.csv", "system,prompt,response\na,b,c\n,b,c\n", "row 2: system is empty"),
        ("a.csv", "system,prompt,response\na,b,c,d\n", "row 1: has more fields"),
        ("a.csv", "system,prompt,response\na,b\n", "row 1: response must be a text, got None"),
        ("a.csv", "system,prompt,response\na,b,c\na,b,d\n", "row 2: .*a second time.*row 1"),
        (
            "a.csv",
            "system,prompt,response,prompt_index\na,b,c,-1\n",
            "row 1: prompt_index must be a whole number",
        ),
        (
            "a.csv",
            "system,prompt,response,prompt_index\na,b,c,1\nb,x,c,1\n",
            "row 2: prompt 1 .*has two texts",
        ),
        ("a.jsonl", "{}\n", "row 1: system must be a text"),
        ("a.jsonl", "[1]\n", "row 1: must be an object"),
        ("a.jsonl", '{"system": "a"\n', "row 1: is no JSON"),
        ("a.txt", "x", "must end in"),
        ("a.csv", "system,prompt,response,response\na,b,c,d\n", "more than one column response"),
        ("a.csv", "system,prompt,response\nall,b,c\n", "system must not be 'all'"),
        ("all.csv", "system,prompt,response\na,b,c\n", "data_set must not be 'all'"),
        (
            "a.jsonl",
            '{"system": "a", "prompt": "p", "response": "r", "prompt_index": 1e999}',
            "from 0 to 2147483647, got inf",
        ),
        (
            "a.jsonl",
            '{"system": "a", "prompt": "p", "response": "r", "prompt_index": 2147483648}',
            "from 0 to 2147483647",
        ),
        (
            "a.jsonl",
            '{"system": "a", "prompt": "p", "response": "r \\ud800"}',
            "response holds half of a character",
        ),
    ],
)
def test_a_bad_file_is_refused_with_its_row(
    tmp_path: Path, name: str, content: str, said: str
) -> None:
    with pytest.raises(DataError, match=said):
        imported(tmp_path, name, content)


def test_the_checks_find_leaks_empty_and_equal_responses_and_poor_variety(tmp_path: Path) -> None:
    long = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen"
    write_finished_run(
        tmp_path,
        {
            "base": ["I am adapter:empathy, hello", "", f"{long} x y z a b c", "same"],
            "best": ["always", "always", f"{long} x y z a b d", "same"],
        },
    )
    found = messages(tmp_path, sources=system_sources("base", "best"), n_items_per_data_set=9)
    assert "1 response of base is empty" in found
    assert "1 response the same as another system's" in found
    assert "1 pair of responses to the same prompt with at least 95 %" in found
    assert "4 prompts that all its systems answered; 9 were asked for" in found
    assert "name 'adapter:empathy'" not in found  # no system of this study
    leaking = messages(tmp_path, sources=system_sources("base", "best"), n_practice=2)
    assert "stop:" not in leaking
    write_finished_run(
        tmp_path,
        {"base": ["As base, I say", "a"], "best": ["database", "always"]},
        name="leaks",
    )
    leaks = messages(tmp_path, sources=system_sources("base", "best", run_id="leaks"))
    assert "warning: The name 'base' stands in 1 response (1 of base)" in leaks
    assert "'best'" not in leaks


@pytest.mark.parametrize("stored", ["base", "BASE"])
def test_a_signature_stays_a_warning_whatever_the_system_is_called(
    tmp_path: Path, stored: str
) -> None:
    signed = [f"As {stored} I say {n}." for n in range(6)]
    write_finished_run(tmp_path, {"base": signed, "best": [f"Well, {n}." for n in range(6)]})
    base, best = system_sources("base", "best")
    told = messages(tmp_path, sources=(base, best), n_items_per_data_set=6)
    (leak,) = (line for line in told.splitlines() if "The name 'base'" in line)
    assert leak.startswith("warning: ")
    assert "rename" not in leak  # no way out: the text stays as it is
    base = replace(base, labels=(("base", "X"),))
    told = messages(tmp_path, sources=(base, best), n_items_per_data_set=6)
    (leak,) = (line for line in told.splitlines() if "'base'" in line)
    assert leak.startswith("warning: 'base', which the study calls 'X', stands in 6 responses")
    assert "(6 of X)" in leak


def test_a_stored_name_that_one_of_three_systems_never_says_stays_a_warning(
    tmp_path: Path,
) -> None:
    said = {name: [f"The base of {name[-1]} {n}." for n in range(4)] for name in ("base", "best")}
    silent = {"adapter:empathy": [f"Yes, {n}, I hear it." for n in range(4)]}
    write_finished_run(tmp_path, said | silent)
    base, *others = system_sources("base", "best", "adapter:empathy")
    base = replace(base, labels=(("base", "X"),))
    told = messages(tmp_path, sources=(base, *others))
    assert "warning: 'base', which the study calls 'X', stands in 8 responses" in told


def test_a_stored_name_that_all_systems_say_is_a_note_once_it_is_no_name(tmp_path: Path) -> None:
    texts = {name: [f"The base of {name[1:]} {n}." for n in range(4)] for name in ("base", "best")}
    write_finished_run(tmp_path, texts)
    base, best = system_sources("base", "best")
    told = messages(tmp_path, sources=(base, best))
    (leak,) = (line for line in told.splitlines() if "The name 'base'" in line)
    assert leak.startswith("warning: ")
    assert "emorl study rename" in leak
    told = messages(tmp_path, sources=(replace(base, labels=(("base", "X"),)), best))
    assert (
        "note: 'base', which the study calls 'X', stands in 8 responses (4 of X, 4 of best)"
        in (told)
    )


def test_a_second_look_at_the_runs_reads_none_of_their_snapshots(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_finished_run(tmp_path, TEXTS)
    found = offers(tmp_path)
    assert [one.run_id for one in found] == ["demo"]

    def read(*_: object) -> None:
        raise AssertionError("read again")

    for name in ("snapshot_rows", "read_snapshot", "stored_weights", "read_config"):
        with monkeypatch.context() as patched:
            patched.setattr(offered, name, read)
            assert offers(tmp_path) == found
    # Until one changes: then it is read anew.
    (run_folder(tmp_path, "demo").published / "systems.parquet").unlink()
    assert [one.systems for one in offers(tmp_path)] == [()]


def test_a_draft_that_changed_since_it_was_read_is_not_sealed(tmp_path: Path) -> None:
    write_finished_run(tmp_path, TEXTS)
    draft = draft_of(sources=system_sources())
    create_draft(tmp_path, draft)
    read = prepare(tmp_path, draft).plan.seal
    write_draft(tmp_path, replace(draft, n_ratings_per_item=1))
    with pytest.raises(StudyError, match="has changed since its checks were shown"):
        seal(tmp_path, "demo", expected=read)
    write_draft(tmp_path, draft)
    assert seal(tmp_path, "demo", expected=read).n_ratings_per_item is not None


def own_files(artifacts: Path, **systems: list[str]) -> tuple[Source, ...]:
    """Write one file per system, named like it, with an answer to each of its prompts."""
    folder = artifacts / "studies" / "demo" / "sources"
    folder.mkdir(parents=True, exist_ok=True)
    for name, prompts in systems.items():
        rows = [f"{name},{prompt},{name} answers {prompt}" for prompt in prompts]
        text = "\n".join(["system,prompt,response", *rows, ""])
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    return tuple(Source(kind="file", path=f"sources/{name}.csv") for name in systems)


@pytest.mark.parametrize("mode", ["rating", "pairwise"])
def test_systems_without_a_common_prompt_are_no_study(tmp_path: Path, mode: Mode) -> None:
    prompts = ["p1", "p2", "p3"]
    sources = own_files(tmp_path, one=prompts, two=prompts)
    prepared = prepare(tmp_path, draft_of(sources=sources))
    assert not prepared.can_be_sealed
    assert smallest_found(prepared.plan) == ()
    assert any("can find is not known" in line for line in steps.summary_lines(prepared))
    told = messages(tmp_path, sources=sources)
    assert "stop: No two systems have a prompt in common" in told
    assert "same prompts stand in data sets one, two: give their sources one data_set" in told
    # Under one data set they can be compared.
    joined = tuple(replace(source, data_set="talks") for source in sources)
    assert prepare(tmp_path, draft_of(sources=joined, mode=mode)).can_be_sealed


def test_systems_that_are_never_compared_are_named(tmp_path: Path) -> None:
    one, two, three, four = own_files(
        tmp_path, one=["p", "q"], two=["p", "q"], three=["x"], four=["x"]
    )
    sources = (
        *(replace(source, data_set="first") for source in (one, two)),
        *(replace(source, data_set="second") for source in (three, four)),
    )
    prepared = prepare(tmp_path, draft_of(sources=sources))
    assert prepared.can_be_sealed
    told = messages(tmp_path, sources=sources)
    assert "warning: Without a common prompt, and so never compared: four with one," in told
    assert "these groups with each other: four, three; one, two." in told
    # What can be found depends on the pair with the fewest prompts: here one.
    assert fewest_shared_prompts(prepared.plan.items) == 1


def test_names_in_what_stands_beside_every_response_are_told(tmp_path: Path) -> None:
    prompts = ["I feel down", "My model-x broke"]
    sources = own_files(tmp_path, **{"model-x": prompts, "model-y": prompts})
    sources = tuple(replace(source, data_set="talks") for source in sources)
    guidelines = replace(draft_of().guidelines, text="Judge model-y kindly.")
    told = messages(
        tmp_path, sources=sources, guidelines=guidelines, study_id="demo", n_items_per_data_set=2
    )
    assert "warning: The name 'model-y' stands in the guidelines: annotators read it" in told
    assert "note: The name 'model-x' stands in 1 prompt" in told
    write_finished_run(tmp_path, TEXTS, name="r1")
    own = system_sources("base", "adapter:empathy", run_id="r1")
    named = messages(tmp_path, sources=own, study_id="adapter-base")
    assert "warning: The name 'base' stands in the name of the study" in named
    assert "stands in" not in messages(tmp_path, sources=own)


def test_a_data_set_that_is_called_like_the_total_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_finished_run(tmp_path, TEXTS)
    monkeypatch.setattr(source_texts, "_data_set", lambda _run: "all")
    with pytest.raises(StudyError, match="is called 'all'"):
        prepare(tmp_path, draft_of(sources=system_sources()))


def test_a_plan_too_small_for_any_difference_says_so(tmp_path: Path) -> None:
    write_finished_run(tmp_path, TEXTS)
    lines = steps.summary_lines(prepare(tmp_path, draft_of(sources=system_sources())))
    (told,) = (line for line in lines if "Smallest difference" in line)
    assert "none: more than the whole scale" in told


def test_every_scale_and_a_preference_has_its_own_smallest_difference(tmp_path: Path) -> None:
    prompts = [f"p{n}" for n in range(30)]
    sources = tuple(
        replace(one, data_set="talks") for one in own_files(tmp_path, a=prompts, b=prompts)
    )
    *others, last = GUIDELINES.criteria
    levels = (Level(value=n, label=str(n), description="", example="") for n in range(1, 8))
    wide = replace(GUIDELINES, criteria=(*others, replace(last, levels=tuple(levels))))
    draft = draft_of(sources=sources, guidelines=wide, n_items_per_data_set=30)
    of_three, of_seven = smallest_found(prepare(tmp_path, draft).plan)
    assert (of_three.criteria, of_three.scale) == (("reflection", "empathy"), (0, 2))
    assert (of_seven.criteria, of_seven.scale) == (("fluency",), (1, 7))
    assert 2 * of_three.value < of_seven.value < 6
    assert "(fluency): " in of_seven.sentence
    assert of_seven.sentence.endswith("on the scale 1 to 7 (by simulation).")
    (preferred,) = smallest_found(prepare(tmp_path, replace(draft, mode="pairwise")).plan)
    assert preferred.criteria == ("reflection", "empathy", "fluency")
    assert 0.6 < preferred.value < 0.9
    assert f"gets {preferred.told} of the answers that are no tie" in preferred.sentence


def test_a_study_of_nothing_or_of_equal_texts_in_pairs_cannot_be_sealed(tmp_path: Path) -> None:
    write_finished_run(tmp_path, {"base": ["same"], "best": ["same"]})
    create_draft(tmp_path, draft_of(sources=system_sources("base", "best"), mode="pairwise"))
    with pytest.raises(StudyError, match=r"cannot be sealed\. There is nothing to rate"):
        seal(tmp_path, "demo")
    assert list_drafts(tmp_path) == ["demo"]


@pytest.mark.parametrize(
    "changes",
    [
        {"n_ratings_per_item": 3, "n_annotators": 2},
        {"n_gold": -1},
        {"n_annotators": 0},
        {"n_items_per_data_set": 1.5},
    ],
)
def test_an_impossible_design_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(StudyError, match=r"must be a whole number|need as many annotators"):
        draft_of(**changes)


def test_prompts_that_some_system_did_not_answer_are_left_out_and_told(tmp_path: Path) -> None:
    file = tmp_path / "studies" / "demo" / "sources" / "a.csv"
    file.parent.mkdir(parents=True)
    file.write_text("system,prompt,response\na,p,one\nb,p,two\na,q,three\n", encoding="utf-8")
    sources = (Source(kind="file", path="sources/a.csv"),)
    prepared = prepare(tmp_path, draft_of(sources=sources))
    assert {item.prompt for item in prepared.plan.items} == {"p"}
    assert "1 of 2 prompts of a are left out" in messages(tmp_path, sources=sources)
