"""Map the responses to the aggregation prompts, search the weights, and prove what is best."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict
from operator import itemgetter
from typing import Any

from emorl.atlas.cells import PromptAtlas
from emorl.atlas.rows import ScoredAtlas, reward_field
from emorl.config.kinds import SEARCHERS
from emorl.decoding.atlas import AtlasBudget
from emorl.errors import PlugInError
from emorl.execution.context import Run
from emorl.models.adapters import load_adapters
from emorl.models.policy import Policy, load_policy
from emorl.records import (
    OWN_SEARCH,
    DataSplit,
    Measurement,
    Prompt,
    SearchRound,
    Split,
    Weights,
)
from emorl.rewards import RewardTable, load_rewards
from emorl.search.certificates import Row, certificate_rows, merge_certificates, with_search
from emorl.search.certified import SearchBudget
from emorl.search.driver import AT_ONCE, Measure, run_search
from emorl.search.protocol import Searcher
from emorl.seeds import derived_seed
from emorl.systems.ensemble import BFLOAT16_WARNING, Ensemble
from emorl.systems.evaluation import Evaluator
from emorl.systems.mapping import map_prompts, mismatched_cells, more_complete
from emorl.weights import WeightSpace, direction_key

_log = logging.getLogger(__name__)

INCOMPLETE_WARNING = "Not all atlases are complete: "
"""How the warning of atlases that met their budget begins; a later mapping takes it back."""


def search(run: Run, policy: Policy, rewards: RewardTable) -> Weights:
    """Do the run's own search, and return the best weights of the last round."""
    ensemble = _ensemble(run, policy)
    if run.config.atlas.enabled:
        prompts = run.texts("aggregation")
        _map(run, ensemble, rewards, "aggregation", prompts, _budget(run), partial=True)
    best = _search(run, ensemble, rewards, run.config.search, OWN_SEARCH)
    stored = _stored_proof(run)
    if stored is not None:
        _add_search(run, *stored)
    elif run.config.atlas.enabled:
        prove(run, SearchBudget(seconds=run.config.atlas.proof_seconds))
    return best


def search_again(run: Run, settings: Any, name: str) -> Weights:
    """Do another search with the ensemble of a run, and return the best weights it found.

    What any search of the run has measured is not measured again.

    Args:
        run: Whose adapters are trained.
        settings: Of a kind of ``SEARCHERS``.
        name: What the search is called in the store; a search of that name goes on.
    """
    run.store.claim_search(name, json.dumps(asdict(settings), sort_keys=True))
    folders = {name: run.folder.adapters / name for name in run.config.objectives}
    policy = load_adapters(load_policy(run.config.policy), folders)
    rewards = load_rewards(run.config, device=str(policy.device))
    return _search(run, _ensemble(run, policy), rewards, settings, name)


def _search(
    run: Run, ensemble: Ensemble, rewards: RewardTable, settings: Any, name: str
) -> Weights:
    space = WeightSpace(run.config.objectives)
    searcher: Searcher = SEARCHERS.load(settings, space, derived_seed(run.config.seed, "search"))
    known = run.store.measurements(name)
    run.heartbeat.say(phase="searching", detail=f"{len(known)} combinations measured before")
    run.progress.start("search" if name == OWN_SEARCH else f"search {name}", searcher.n_expected)
    evaluator = Evaluator(ensemble, rewards, run.texts("aggregation"))
    events = run_search(
        searcher,
        evaluator if name == OWN_SEARCH else _of_other_searches(run, evaluator),
        space,
        known=known,
        at_once=getattr(settings, "directions_per_batch", AT_ONCE),
        name=settings.kind,
        search=name,
    )
    best: tuple[float, Weights] | None = None
    for event in events:
        if isinstance(event, SearchRound):
            if name == OWN_SEARCH:
                run.store.add_round(event)
            run.heartbeat.say(detail=f"round {event.round} done")
            run.progress.advance(0, f"best mean reward {event.best_mean_reward:.3f}")
        else:
            for one in event:
                measured = one.measurement
                if measured and (best is None or measured.mean_reward > best[0]):
                    best = measured.mean_reward, one.weights
            run.store.add_evaluations(event)
            run.progress.advance(len(event))
        run.heartbeat.check()
    run.progress.end()
    if best is None:
        raise PlugInError(
            f"The searcher {settings.kind!r} ended without asking for weights that can be "
            "measured. It must ask for at least one vector that is not all 0."
        )
    return best[1]


def _of_other_searches(run: Run, evaluator: Evaluator) -> Measure:
    """Return a measure that looks first for what other searches have measured."""
    stored = run.store.measured()

    def measure(weights: Sequence[Weights]) -> list[Measurement]:
        missing = [vector for vector in weights if direction_key(vector) not in stored]
        stored.update(
            (direction_key(vector), measured)
            for vector, measured in zip(missing, evaluator(missing), strict=True)
        )
        return [stored[direction_key(vector)] for vector in weights]

    return measure


def extend_atlas(
    run: Run,
    own_prompts: Sequence[str],
    split: DataSplit,
    budget: AtlasBudget | None,
    *,
    check: bool = False,
) -> None:
    """Map more prompts of a run: a split's, or prompts of one's own; see ``pipeline.explore``."""
    folders = {name: run.folder.adapters / name for name in run.config.objectives}
    policy = load_adapters(load_policy(run.config.policy), folders)
    prompts = [policy.check_prompt(prompt) for prompt in own_prompts]
    rewards = load_rewards(run.config, device=str(policy.device))
    ensemble = _ensemble(run, policy)
    limit = budget or _budget(run)
    if not prompts:
        _map(run, ensemble, rewards, split, run.texts(split), limit)
        if check:
            _check(run, policy, split)
        return
    known = {p.prompt: p.index for p in run.store.prompts() if p.split == "own"}
    for prompt in dict.fromkeys(prompts):
        index = known.setdefault(prompt, len(known))
        run.store.add_prompts([Prompt(split="own", index=index, prompt=prompt)])
        _map(run, ensemble, rewards, "own", [prompt], limit, first_index=index)
    if check:
        _check(run, policy, "own")


def prove(run: Run, budget: SearchBudget) -> None:
    """Store what the aggregation prompts' atlases prove about all weights, if it is more."""
    run.heartbeat.say(detail="proving which weights are best")
    found = certificate_rows(
        _aggregation_atlases(run),
        run.store.best_weights(),
        budget,
        run.store.records("evaluations"),
    )
    stored = _stored_proof(run)
    row, front = merge_certificates(stored, found)
    run.store.replace_certificate("aggregation", row, front)
    if stored is not None and row["gap"] < found[0]["gap"]:
        _log.warning(
            "The stored proof is kept: its gap is %.4f, and that of this budget %.4f.",
            row["gap"],
            found[0]["gap"],
        )
    if stored is not None and front is stored[1]:
        _log.warning(
            "The stored front is kept: it is complete or longer (%d combinations; this "
            "budget found %d).",
            len(front),
            len(found[1]),
        )


def _add_search(run: Run, row: Row, front: Sequence[Row]) -> None:
    """Add to a proof that was stored before the search ended what the search measured."""
    field = reward_field(_aggregation_atlases(run))
    evaluations = run.store.records("evaluations")
    row = with_search(row, field, run.store.best_weights(), evaluations)
    run.store.replace_certificate("aggregation", row, front)


def _aggregation_atlases(run: Run) -> list[ScoredAtlas]:
    return [one for one in run.store.atlases() if one.split == "aggregation"]


def _stored_proof(run: Run) -> tuple[Row, list[Row]] | None:
    rows = [row for row in run.store.records("certificates") if row["split"] == "aggregation"]
    front = [row for row in run.store.records("front") if row["split"] == "aggregation"]
    return (rows[0], sorted(front, key=itemgetter("position"))) if rows else None


def _map(
    run: Run,
    ensemble: Ensemble,
    rewards: RewardTable,
    split: Split,
    prompts: Sequence[str],
    budget: AtlasBudget,
    *,
    first_index: int = 0,
    partial: bool = False,
) -> None:
    """Build and store the atlases that are not there; with ``partial``, open ones will do.

    Without it, open ones are begun anew, but for those that the budget's nodes were spent on; of
    the two that covers more is kept.
    """
    places = range(first_index, first_index + len(prompts))
    held = {
        one.prompt_index: one
        for one in run.store.atlases()
        if one.split == split and one.prompt_index in places
    }
    done = {place for place, one in held.items() if partial or _is_spent(one.atlas, budget)}
    run.heartbeat.say(phase="mapping", detail=f"the responses to {len(prompts)} prompts")
    run.progress.start("map responses", len(prompts), len(done))
    n_misplaced = 0
    n_kept = 0 if partial else sum(not held[place].atlas.is_complete for place in done)
    for part in map_prompts(
        ensemble, rewards, split, prompts, budget, first_index=first_index, skip=done
    ):
        kept = [more_complete(held.get(one.prompt_index), one) for one in part]
        larger = [one for one, found in zip(kept, part, strict=True) if one is found]
        run.store.replace_atlases(larger)
        held |= {one.prompt_index: one for one in kept}
        n_kept += len(kept) - len(larger)
        n_misplaced += sum(len(one.atlas.misplaced()) for one in part)
        run.progress.advance(len(part), f"{sum(len(one.atlas.cells) for one in kept)} responses")
        run.heartbeat.check()
    run.progress.end()
    if n_kept:
        _log.warning("Stored open atlases kept: %d. This budget covers no more.", n_kept)
    if n_misplaced:
        run.heartbeat.warn(
            f"{n_misplaced} responses of the atlas ({split}) are not those that are looked up in "
            "the middle of their own weights, so that its borders are not to be trusted. `emorl "
            "atlas --check` decodes there."
        )
    n_open = sum(not one.atlas.is_complete for one in held.values())
    if n_open:
        run.heartbeat.warn(
            f"{INCOMPLETE_WARNING}{n_open} prompts ({split}) have more responses than the budget "
            "could find, and a search decodes what is missing. Raise atlas.nodes_per_prompt, "
            "or use `emorl atlas --nodes`."
        )


def _is_spent(atlas: PromptAtlas, budget: AtlasBudget) -> bool:
    """Tell whether mapping again within a budget can find nothing new."""
    limit = budget.nodes_per_prompt
    return atlas.is_complete or (limit is not None and atlas.node_forwards >= limit)


def _check(run: Run, policy: Policy, split: Split) -> None:
    """Compare all atlases of a split with the oracle; see ``mapping.mismatched_cells``."""
    scored = [one for one in run.store.atlases() if one.split == split]
    texts = {(p.split, p.index): p.prompt for p in run.store.prompts()}
    oracle = Ensemble(policy, run.config.objectives, backend="generic", overlong="cut")
    run.progress.start("check responses", len(scored))
    n_cells = n_wrong = 0
    for one in scored:
        prompt = texts[split, one.prompt_index]
        n_wrong += len(mismatched_cells(oracle, [prompt], [one.atlas]))
        n_cells += len(one.atlas.cells)
        run.progress.advance(1, f"{n_wrong} of {n_cells} wrong")
        run.heartbeat.check()
    run.progress.end()
    if n_wrong:
        run.heartbeat.warn(
            f"{n_wrong} of {n_cells} responses of the atlas ({split}) come out different when "
            "they are decoded at the middle of their cell by the generic back end."
        )


def _ensemble(run: Run, policy: Policy) -> Ensemble:
    ensemble = Ensemble(policy, run.config.objectives, overlong="cut")
    if run.config.policy.precision == "bfloat16":
        run.heartbeat.warn(BFLOAT16_WARNING)
    run.heartbeat.say(backend=f"{ensemble.backend.name}: {ensemble.backend.reason}")
    return ensemble


def _budget(run: Run) -> AtlasBudget:
    return AtlasBudget(run.config.atlas.nodes_per_prompt, run.config.atlas.seconds)
