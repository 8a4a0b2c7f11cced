"""Is a study still the one that was sealed and rated? What log, plan and ratings say together."""

from __future__ import annotations

from collections.abc import Collection

from dashboard.study.blinding import short_seal
from dashboard.study.chain import Chain
from dashboard.study.plan import StudyPlan

NOT_CHAINED = (
    "The log of this study was begun by an earlier version: nothing shows whether its entries "
    "were changed."
)

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


def remarks_of(trouble: str, log: Chain) -> list[str]:
    """Return what a reader of the study must know of its files."""
    if trouble:
        return [trouble]
    return [NOT_CHAINED] if log.records and not log.is_chained else []
