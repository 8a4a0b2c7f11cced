"""Systems of a draft renamed and taken out, by the names that the study has for them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from emorl.errors import DiskError, StudyError
from emorl_dashboard.study.planning.draft import StudyDraft, write_draft
from emorl_dashboard.study.planning.imported import checked_name, read_responses
from emorl_dashboard.study.planning.sources import Source
from emorl_dashboard.study.protocol.plan import study_folder


def stored_systems(artifacts: Path, draft: StudyDraft, source: Source) -> tuple[str, ...]:
    """Return the systems of a source by their stored names: one, or all of a file.

    Raises:
        DataError: If the file cannot be read.
    """
    if source.kind != "file":
        return (source.stored_name,)
    path = study_folder(artifacts, draft.study_id) / source.path
    rows = read_responses(path, data_set=source.data_set)
    return tuple(dict.fromkeys(str(row["system"]) for row in rows))


def renamed(
    artifacts: Path, draft: StudyDraft, name: str, new: str, *, origin: str = ""
) -> StudyDraft:
    """Return the draft with another name for a system.

    Args:
        artifacts: The artifacts folder.
        draft: The draft.
        name: What the study calls the system now; if it calls none so, the stored name.
        new: What to call it.
        origin: A run or file: only the system of this name that comes from there; empty: of all.

    Raises:
        StudyError: If the draft has no such system, or another of the same file is called so.
        DataError: If the new name is no name of one line.
    """
    stored_names = {
        source: stored_systems(artifacts, draft, source) for source in _of_origin(draft, origin)
    }
    is_used = any(name in map(source.called, own) for source, own in stored_names.items())

    def asked(source: Source) -> list[str]:
        own = stored_names[source]
        return [one for one in own if (source.called(one) if is_used else one) == name]

    names = {
        (source, stored): new
        for source in _chosen(draft, lambda one: bool(asked(one)), f"system {name!r}", origin)
        for stored in asked(source)
    }
    return named(artifacts, draft, names)


def named(
    artifacts: Path, draft: StudyDraft, names: Mapping[tuple[Source, str], str]
) -> StudyDraft:
    """Return the draft with other names for systems.

    Args:
        artifacts: The artifacts folder.
        draft: The draft.
        names: Source and stored name of a system, and what the study is to call it; other
            systems keep their names.

    Raises:
        StudyError: If two systems of one file would have one name.
        DataError: If a new name is no name of one line.
    """
    where = f"study {draft.study_id!r}"
    sources = []
    for source in draft.sources:
        labels = dict(source.labels) | {
            stored: checked_name(new, "the name of a system", where)
            for (of, stored), new in names.items()
            if of == source
        }
        own = tuple((stored, label) for stored, label in labels.items() if stored != label)
        changed = replace(source, labels=own)
        if changed != source:
            check_distinct(changed, stored_systems(artifacts, draft, source))
        sources.append(changed)
    return replace(draft, sources=tuple(sources))


def check_distinct(source: Source, stored: Iterable[str]) -> None:
    """Refuse one name for two systems of one file: their texts could not be told apart again.

    Raises:
        StudyError: If two of them have it.
    """
    first_of: dict[str, str] = {}
    for one in stored:
        other = first_of.setdefault(source.called(one), one)
        if other != one:
            raise StudyError(
                f"The systems {other!r} and {one!r} of {source.file_name} would both be called "
                f"{source.called(one)!r}, and be one system to the study. Give each a name of its "
                "own."
            )


def without(draft: StudyDraft, name: str, *, origin: str = "") -> StudyDraft:
    """Return the draft without a system of a run, or without a file and all systems in it.

    Args:
        draft: The draft.
        name: What the study calls the system, or the name of the file.
        origin: A run: only the system of this name that comes from there; empty: of all.

    Raises:
        StudyError: If the draft has no such system or file.
    """

    def has(source: Source) -> bool:
        return name in (source.name or source.file_name, source.path)

    chosen = _chosen(draft, has, f"system or file {name!r}", origin)
    left = tuple(source for source in draft.sources if source not in chosen)
    return replace(draft, sources=left)


def keep(artifacts: Path, before: StudyDraft, after: StudyDraft) -> None:
    """Store a changed draft, and delete the files that it has no more.

    Raises:
        StudyError: If the study is sealed.
        DiskError: If the disk refuses.
    """
    write_draft(artifacts, after)
    folder = study_folder(artifacts, after.study_id)
    gone = {s.path for s in before.sources if s.path} - {s.path for s in after.sources}
    for path in sorted(gone):
        try:
            (folder / path).unlink(missing_ok=True)
        except OSError as error:
            raise DiskError(
                f"The draft is stored without {path}, but the file cannot be deleted: {error}."
            ) from error


def _chosen(
    draft: StudyDraft, has: Callable[[Source], bool], what: str, origin: str
) -> list[Source]:
    found = [source for source in _of_origin(draft, origin) if has(source)]
    if not found:
        known = ", ".join(
            f"{source.name or source.file_name} ({source.origin})" for source in draft.sources
        )
        where = f" from {origin!r}" if origin else ""
        raise StudyError(
            f"Draft {draft.study_id!r} has no {what}{where}; it has {known or 'none'}."
        )
    return found


def _of_origin(draft: StudyDraft, origin: str) -> list[Source]:
    return [one for one in draft.sources if origin in ("", one.run_id, one.file_name)]
