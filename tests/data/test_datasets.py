"""Reading data files: every format, every kind of bad row, every unusable file."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emorl.config import DataConfig
from emorl.data import PromptData, load_prompts
from emorl.data.masking import mask_personal_data
from emorl.errors import DataError

N_ROWS = 20


def _pair_row(number: int) -> list[str]:
    return [f"I worry, day {number}.", f"It weighs on you {number}.", *"bcdefgh", "topic"]


def _write_pair(path: Path, rows: list[list[str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
    return path


def _load(path: Path, kind: Any = "pair", **settings: Any) -> PromptData:
    return load_prompts(DataConfig(kind=kind, path=str(path), **settings), seed=0)


def _objects() -> list[dict[str, object]]:
    return [{"question": f"Q{n}?", "answer": f"A{n}.", "n": n} for n in range(N_ROWS)]


COLUMNS: dict[str, Any] = {"prompt_column": "question", "response_column": "answer"}


def _write_jsonl(path: Path, rows: list[Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def _write_csv(path: Path, rows: list[Any]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def _write_parquet(path: Path, rows: list[Any]) -> Path:
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


WRITERS: dict[str, Callable[[Path, list[Any]], Path]] = {
    "jsonl": _write_jsonl,
    "csv": _write_csv,
    "parquet": _write_parquet,
}


# Good files


def test_pair_uses_prompt_and_first_response_and_reads_newlines_in_cells(tmp_path: Path) -> None:
    rows = [_pair_row(n) for n in range(N_ROWS)]
    rows[3][0] = "two\nlines, one cell"
    rows[4][5] = " "  # a blank response that nothing reads
    data = _load(_write_pair(tmp_path / "pair.csv", rows))
    assert [len(data.of(split)) for split in ("train", "aggregation", "inference")] == [16, 2, 2]
    assert data.prompts[3].prompt == "two\nlines, one cell"
    assert data.prompts[4].reference == "It weighs on you 4."
    assert data.skipped == []


@pytest.mark.parametrize("kind", WRITERS)
def test_named_columns_are_read_from_every_table_format(kind: str, tmp_path: Path) -> None:
    data = _load(WRITERS[kind](tmp_path / "data", _objects()), kind, **COLUMNS)
    assert [(p.prompt, p.reference) for p in data.prompts] == [
        (f"Q{n}?", f"A{n}.") for n in range(N_ROWS)
    ]


@pytest.mark.parametrize("kind", WRITERS)
def test_a_data_set_without_responses_gives_empty_references(kind: str, tmp_path: Path) -> None:
    path = WRITERS[kind](tmp_path / "data", _objects())
    data = _load(path, kind, prompt_column="question")
    assert {p.reference for p in data.prompts} == {""}


def test_psych8k_reads_input_and_output(tmp_path: Path) -> None:
    items = [{"instruction": "Help.", "input": f"I{n}", "output": f"O{n}"} for n in range(N_ROWS)]
    path = tmp_path / "psych8k.json"
    for layout in (
        json.dumps(items),
        json.dumps(items, indent=2),
        f"\ufeff {json.dumps(items)}\n",
    ):
        path.write_text(layout, encoding="utf-8")
        data = _load(path, "psych8k")
        assert (data.prompts[0].prompt, data.prompts[0].reference) == ("I0", "O0")
        assert len(data.prompts) == N_ROWS


def test_prompts_are_the_same_after_stripping_and_the_first_row_wins(tmp_path: Path) -> None:
    rows = [{"question": f" Q{n % 10} ", "answer": f"A{n}"} for n in range(N_ROWS)]
    rows[12]["question"] = "Q2"
    data = _load(_write_jsonl(tmp_path / "data", rows), "jsonl", **COLUMNS)
    assert [p.prompt for p in data.prompts] == [f"Q{n}" for n in range(10)]
    assert data.prompts[2].reference == "A2"
    assert data.n_repeated == 10


def test_a_byte_order_mark_and_empty_lines_do_no_harm(tmp_path: Path) -> None:
    path = _write_csv(tmp_path / "data", _objects())
    content = path.read_text(encoding="utf-8").replace("Q3?,A3.", "\r\n\nQ3?,A3.")
    path.write_text("\ufeff" + content + "\n\n", encoding="utf-8", newline="")
    assert len(_load(path, "csv", **COLUMNS).prompts) == N_ROWS


def test_the_embedded_corpus_gets_the_number_of_prompts_and_the_seed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    corpus = ModuleType("emorl.data.corpus")
    corpus.embedded_prompts = lambda n, seed: [  # type: ignore[attr-defined]
        (f"p{seed}-{i}", "r") for i in range(n)
    ]
    monkeypatch.setitem(sys.modules, "emorl.data.corpus", corpus)
    data = load_prompts(DataConfig(n_prompts=30), seed=7)
    assert [p.prompt for p in data.prompts] == [f"p7-{i}" for i in range(30)]


# Bad rows


def _spoil_pair(path: Path, number: int, content: bytes) -> Path:
    _write_pair(path, [_pair_row(n) for n in range(N_ROWS)])
    lines = path.read_bytes().split(b"\n")
    lines[number - 1] = content
    path.write_bytes(b"\n".join(lines))
    return path


GOOD_LINE = ",".join(_pair_row(99)).replace(", day", " day").encode()
BAD_PAIR_LINES = {
    "blank prompt": (b" ,r,b,c,d,e,f,g,h,topic", "the prompt is blank"),
    "blank first response": (b"p, ,b,c,d,e,f,g,h,topic", "the response is blank"),
    "too few columns": (b"p,r,b", "has 3 columns instead of 10"),
    "too many columns": (GOOD_LINE + b",more", "has 11 columns instead of 10"),
    "not UTF-8": (b"caf\xe9,r,b,c,d,e,f,g,h,topic", "column 1 is not UTF-8"),
    "long field": (b"p," + b"r" * 201 + b",b,c,d,e,f,g,h,t", "column 2 has 201 characters"),
    "open quotation mark": (b'p,r,b,c,d,e,f,g,h,"topic', "is not valid CSV"),
    "header": (b"prompt,hq1,hq2,mq1,lq1,lq2,lq3,lq4,lq5,topic", "is a header"),
}


@pytest.mark.parametrize("name", BAD_PAIR_LINES)
def test_a_bad_row_of_pair_is_refused_with_its_line(name: str, tmp_path: Path) -> None:
    content, reason = BAD_PAIR_LINES[name]
    path = _spoil_pair(tmp_path / "pair.csv", 20, content)
    with pytest.raises(DataError) as caught:
        _load(path, max_field_characters=200)
    message = str(caught.value)
    assert f"{path} has 1 bad row" in message
    assert f"line 20: {reason}" in message
    assert 'on_bad_row = "skip"' in message


@pytest.mark.parametrize("name", BAD_PAIR_LINES)
def test_a_bad_row_is_skipped_and_listed_when_asked(name: str, tmp_path: Path) -> None:
    content, reason = BAD_PAIR_LINES[name]
    path = _spoil_pair(tmp_path / "pair.csv", 20, content)
    data = _load(path, max_field_characters=200, on_bad_row="skip")
    assert len(data.prompts) == N_ROWS - 1
    assert [row.line for row in data.skipped] == [20]
    assert reason in data.skipped[0].reason


def test_line_numbers_are_physical_lines_where_a_row_begins(tmp_path: Path) -> None:
    rows = [_pair_row(n) for n in range(N_ROWS)]
    rows[2][3] = "three\nphysical\nlines"
    rows[5][0] = "  "
    rows[9] = rows[9][:4]
    data = _load(_write_pair(tmp_path / "pair.csv", rows), on_bad_row="skip")
    # Row 2 takes two lines more, so row 5 begins on line 6 + 2 and row 9 on line 10 + 2.
    assert [row.line for row in data.skipped] == [8, 12]


def test_a_quotation_mark_left_open_swallows_no_row_in_silence(tmp_path: Path) -> None:
    rows = [_pair_row(n) for n in range(N_ROWS)]
    path = _write_pair(tmp_path / "pair.csv", rows)
    path.write_text(path.read_text().replace("topic", '"topic', 1))
    with pytest.raises(DataError, match=r"line 1: is not valid CSV .*quotation marks"):
        _load(path)


def test_a_field_above_the_csv_module_s_limit_is_a_bad_row(tmp_path: Path) -> None:
    rows = [_pair_row(n) for n in range(N_ROWS)]
    rows[1][4] = "x" * 200_000  # the module refuses more than 131,072 by default
    data = _load(_write_pair(tmp_path / "pair.csv", rows), on_bad_row="skip")
    assert [(row.line, row.reason[:32]) for row in data.skipped] == [
        (2, "column 5 has 200,000 characters,")
    ]
    path = _write_pair(tmp_path / "pair.csv", rows)
    assert len(_load(path, max_field_characters=200_000).prompts) == N_ROWS


def test_many_bad_rows_are_one_error_with_the_first_few_lines(tmp_path: Path) -> None:
    rows = [_pair_row(n) if n % 2 else ["only one"] for n in range(40)]
    with pytest.raises(DataError) as caught:
        _load(_write_pair(tmp_path / "pair.csv", rows))
    message = str(caught.value)
    assert "20 bad rows beside 20 good" in message
    assert "line 9:" in message
    assert "line 11:" not in message
    assert "and 15 more" in message


def test_bad_json_lines_are_listed_with_line_and_reason(tmp_path: Path) -> None:
    lines = [json.dumps(row) for row in _objects()]
    lines[1] = "{not json"
    lines[3] = '["a", "list"]'
    lines[5] = '{"question": "Q?"}'
    lines[7] = '{"question": 5, "answer": "A"}'
    lines[9] = '{"question": "Q", "answer": null}'
    lines[11] = '{"question": "\\ud800", "answer": "A"}'
    lines[13] = "[" * 100_000
    lines[15] = '{"question": ' + "1" * 5_000 + "}"
    path = tmp_path / "data.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    skipped = _load(path, "jsonl", on_bad_row="skip", **COLUMNS).skipped
    expected = {
        2: "is not valid JSON (Expecting property name enclosed in double quotes at character 2)",
        4: "is not an object but list",
        6: "has no key 'answer', only question",
        8: "the prompt is not a text but int",
        10: "the response is blank",
        12: "the prompt is not UTF-8",
        14: "is not valid JSON",
        16: "is not valid JSON (Exceeds the limit",
    }
    assert [row.line for row in skipped] == list(expected)
    for row in skipped:
        assert row.reason.startswith(expected[row.line])


def test_bad_rows_of_a_csv_with_a_header_are_listed(tmp_path: Path) -> None:
    path = _write_csv(tmp_path / "data", _objects())
    lines = path.read_text(encoding="utf-8").splitlines()
    lines[4] = "Q?,A."
    lines[20] = 'Q?,"A.,5'
    path.write_text("\n".join(lines), encoding="utf-8")
    skipped = _load(path, "csv", on_bad_row="skip", **COLUMNS).skipped
    assert [row.line for row in skipped] == [5, 21]
    assert skipped[0].reason == "has 2 columns instead of 3"
    assert skipped[1].reason.startswith("is not valid CSV")


def test_bad_items_of_a_json_list_have_the_line_they_begin_on(tmp_path: Path) -> None:
    items: list[Any] = [{"input": f"I{n}", "output": f"O{n}"} for n in range(N_ROWS)]
    items[1] = {"input": "I"}
    items[2] = "text"
    path = tmp_path / "psych8k.json"
    path.write_text(json.dumps(items, indent=1), encoding="utf-8")
    skipped = _load(path, "psych8k", on_bad_row="skip").skipped
    # Line 1 is the bracket; item 0 takes lines 2 to 5, item 1 lines 6 to 8, item 2 line 9.
    assert [(row.line, row.reason) for row in skipped] == [
        (6, "has no key 'output', only input"),
        (9, "is not an object but str"),
    ]


def test_bad_parquet_rows_are_listed_by_row_number(tmp_path: Path) -> None:
    rows = _objects()
    rows[2]["question"] = None
    rows[3]["answer"] = None
    table = pa.Table.from_pylist(rows)
    raw = pa.array([b"Q\xff" if n == 5 else b"Q%d" % n for n in range(N_ROWS)], pa.binary())
    broken = pa.Array.from_buffers(pa.string(), N_ROWS, raw.buffers())
    pq.write_table(table, tmp_path / "nulls")
    pq.write_table(table.set_column(0, "question", broken), tmp_path / "bytes")
    skipped = _load(tmp_path / "nulls", "parquet", on_bad_row="skip", **COLUMNS).skipped
    assert [(row.line, row.reason) for row in skipped] == [
        (3, "the prompt is missing"),
        (4, "the response is blank"),
    ]
    settings: dict[str, Any] = {"prompt_column": "question", "on_bad_row": "skip"}
    skipped = _load(tmp_path / "bytes", "parquet", **settings).skipped
    assert [(row.line, row.reason) for row in skipped] == [(6, "the prompt is not UTF-8")]


# Files that cannot be used


def _file(content: bytes) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        path = folder / "file"
        path.write_bytes(content)
        return path

    return write


def _parquet(folder: Path) -> Path:
    return _write_parquet(folder / "file", _objects())


UNUSABLE: dict[str, tuple[str, Callable[[Path], Path], str]] = {
    "missing": ("pair", lambda folder: folder / "none.csv", "There is no data file"),
    "folder": ("pair", lambda folder: folder, "must name a file, but .* is a folder"),
    "empty": ("pair", _file(b""), "is empty"),
    "only blank lines": ("pair", _file(b"\n\n\n"), "holds no rows"),
    "only bad rows": ("pair", _file(b"a,b\nc,d\n"), "no usable row: line 1: .*Check data.kind"),
    "Parquet as PAIR": ("pair", _parquet, "is Parquet, but data.kind = 'pair' needs UTF-8"),
    "UTF-16": ("csv", _file("question\nhi".encode("utf-16")), "is UTF-16 text"),
    "spreadsheet": ("csv", _file(b"PK\x03\x04abc"), "is a ZIP archive or spreadsheet"),
    "CSV as Parquet": ("parquet", _file(b"a,b\n1,2\n"), "cannot be read as Parquet"),
    "cut-off Parquet": ("parquet", _file(b"PAR1" + b"x" * 40), "cannot be read as Parquet"),
    "missing column": (
        "csv",
        _file(b"a,b\n1,2\n"),
        "the column 'question' once.*columns are a, b",
    ),
    "twofold column": ("csv", _file(b"question,question\n1,2\n"), "has it twice or more"),
    "header not CSV": ("csv", _file(b'question,"answer\n1,2\n'), "header cannot be read"),
    "header not UTF-8": ("csv", _file(b"caf\xe9,answer\n1,2\n"), "header cannot be read"),
    "list as JSONL": ("jsonl", _file(b'[{"question": "a"}]'), "is one JSON list"),
    "JSONL without the key": ("jsonl", _file(b'{"a": "b"}\n'), "has no key 'question', only a"),
    "JSONL as Psych8k": ("psych8k", _file(b'{"input": "a"}\n'), "must be a JSON list of objects"),
    "cut-off JSON": ("psych8k", _file(b'[\n{"input": "a"},\n{"inp'), "begins on line 3"),
    "JSON without a comma": ("psych8k", _file(b"[{} {}]"), r"expected ',' or '\]'"),
    "deep JSON": ("psych8k", _file(b"[" * 100_000), "is not valid JSON"),
    "empty list": ("psych8k", _file(b"[ ]"), "holds no rows"),
    "too few prompts": ("jsonl", _file(b'{"question": "a"}\n' * 30), "1 different prompts split"),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_an_unusable_file_is_a_data_error_that_names_it(name: str, tmp_path: Path) -> None:
    kind, write, message = UNUSABLE[name]
    path = write(tmp_path)
    with pytest.raises(DataError, match=message) as caught:
        _load(path, kind, prompt_column="question")
    if name != "too few prompts":
        assert str(path) in str(caught.value)


def test_a_file_that_the_system_does_not_let_us_read_is_a_data_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_path: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    path = _write_pair(tmp_path / "pair.csv", [_pair_row(0)])
    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(DataError, match=r"pair\.csv: Permission denied\. Check its permissions"):
        _load(path)


def test_a_missing_parquet_column_is_named_with_those_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"'text' once .* columns are question, answer, n"):
        _load(_parquet(tmp_path), "parquet", prompt_column="text")


# Personal data


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("Write to ann.lee+x@clinic.example.org!", "Write to [e-mail]!"),
        ("Phone: (555) 010-1234 or", "Phone: [phone] or"),
        ("1-555-010-1234, +49 170 1234567", "[phone], [phone]"),
        ("call 5550101234 now", "call [phone] now"),
        ("I saw Dr. Ann B. Lee today", "I saw Dr. [name] today"),
        ("Doctor Lee said", "Doctor [name] said"),
        ("reach Ann Lee, MD at", "reach [name], MD at"),
    ],
)
def test_personal_data_is_masked(text: str, masked: str) -> None:
    assert mask_personal_data(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "My doctor told me. Doctor, I am 35 and weigh 1,000,000 g.",
        "From 2019-2020 I smoked 10 a day @ home; Doctor x knows.",
        "Dr. who? COVID-19, type-2.",
    ],
)
def test_ordinary_text_is_not_masked(text: str) -> None:
    assert mask_personal_data(text) == text


def test_prompt_reference_and_excerpt_are_masked_on_load(tmp_path: Path) -> None:
    rows = [_pair_row(n) for n in range(N_ROWS)]
    rows[0][:2] = ["Call me at 555-010-1234", "Dr. Lee will."]
    rows[1] = ["mail a@b.example"]
    data = _load(_write_pair(tmp_path / "pair.csv", rows), on_bad_row="skip")
    assert data.prompts[0].prompt == "Call me at [phone]"
    assert data.prompts[0].reference == "Dr. [name] will."
    assert data.skipped[0].excerpt == "mail [e-mail]"


def test_an_excerpt_is_one_short_printable_line(tmp_path: Path) -> None:
    rows = [_pair_row(n) for n in range(N_ROWS)]
    rows[0] = ["a\n\x1b[31m\tb " + "word " * 40]
    data = _load(_write_pair(tmp_path / "pair.csv", rows), on_bad_row="skip")
    excerpt = data.skipped[0].excerpt
    assert excerpt.startswith("a [31m b word word")
    assert len(excerpt) == 60
    assert excerpt.isprintable()


# The real PAIR file


@pytest.mark.data
def test_the_real_pair_file_gives_254_32_32_prompts(pair_file: Path) -> None:
    data = _load(pair_file)
    assert [len(data.of(split)) for split in ("train", "aggregation", "inference")] == [
        254,
        32,
        32,
    ]
    assert data.skipped == []
    assert data.n_repeated == 0
    assert all(prompt.reference for prompt in data.prompts)


@pytest.mark.data
def test_a_cut_off_pair_file_is_refused_at_its_last_line(pair_file: Path, tmp_path: Path) -> None:
    content = pair_file.read_bytes()
    path = tmp_path / "pair.csv"
    path.write_bytes(content[:-200])
    with pytest.raises(DataError, match=r"has 1 bad row beside 317 good: line 33[0-9]:"):
        _load(path)
