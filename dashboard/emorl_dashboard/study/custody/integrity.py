"""Is a study still the one that was sealed and rated? What log, plan and ratings say together."""

from __future__ import annotations

from collections.abc import Collection

from emorl_dashboard.study.custody.chain import Chain
from emorl_dashboard.study.protocol.blinding import short_seal
from emorl_dashboard.study.protocol.plan import StudyPlan

_ADVICE = (
    "No more ratings are taken. Put a backup of the study's files back, and say so wherever you "
    "report its results."
)


def trouble_of(
    plan: StudyPlan, log: Chain, *, seals: Collection[str] = (), entries: Collection[str] = ()
) -> str:
    """Return what was changed that nobody may change, in words; "" if nothing was.

    Args:
        plan: As it is now.
        log: As it is now.
        seals: Of the plans that stored ratings and consents were given under; "" is unknown.
        entries: Hashes of the log entries that they were admitted under; "" is unknown.
    """
    found = []
    if log.trouble:
        found.append(f"The log of this study was changed by hand. {log.trouble}")
    foreign = foreign_seals(plan, [*seals, *(str(r.get("seal", "")) for r in log.records)])
    if foreign:
        found.append(
            "This plan is not the one that was sealed first: ratings or the log name the seal "
            f"{', '.join(map(short_seal, foreign))}, and the plan has "
            f"{short_seal(plan.seal)}."
        )
    if set(entries) - {"", *log.hashes}:
        found.append("Ratings were admitted under entries that the log of this study lacks.")
    return " ".join([*found, _ADVICE]) if found else ""


def foreign_seals(plan: StudyPlan, seals: Collection[str]) -> list[str]:
    """Return the known seals that are not the plan's, sorted."""
    return sorted(set(seals) - {"", plan.seal})


def remarks_of(trouble: str, log: Chain, *, n_stored: int, n_unnamed: int) -> list[str]:
    """Return what a reader of the study must know of its files; none where all vouch for all.

    Args:
        trouble: As ``trouble_of`` says.
        log: As it is now.
        n_stored: Answers and notes that are stored.
        n_unnamed: Those of them that name no plan or no log entry.
    """
    if trouble:
        return [trouble]
    remarks = []
    if log.n_unchained:
        remarks.append(
            f"Entries of this study's log that an earlier version wrote: {log.n_unchained} of "
            f"{len(log.records)}. Nothing shows whether they were changed before later entries "
            "vouched for them."
        )
    if n_unnamed:
        remarks.append(
            "Answers and notes that do not name the plan and the log entry under which they were "
            f"given: {n_unnamed} of {n_stored}. Nothing shows whether they belong to this plan."
        )
    return remarks
