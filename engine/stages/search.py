"""Map the responses to the aggregation prompts, search the weights, and prove what is best."""

from __future__ import annotations

from collections.abc import Sequence

from engine.ensemble.atlas import AtlasBudget
from engine.ensemble.ensemble import Ensemble
from engine.evaluation import Evaluator
from engine.mapping import certificate_rows, map_prompts, wrong_cells
from engine.policy import Policy, load_adapters, load_policy
from engine.records import DataSplit, Prompt, SearchRound, Split, Weights
from engine.rewards import RewardTable, load_rewards
from engine.search.certified import SearchBudget
from engine.search.hierarchical import hierarchical_search, n_grid_points
from engine.stages.context import Run

NOT_COMPLETE = "Not all atlases are complete: "
"""How the warning of atlases that met their budget begins; a later mapping takes it back."""


def search(run: Run, policy: Policy, rewards: RewardTable) -> Weights:
    """Search, and return the best weights of the last round."""
    config, names = run.config.search, run.config.objectives
    ensemble = _ensemble(run, policy)
    if run.config.atlas.enabled:
        prompts = run.texts("aggregation")
        _map(run, ensemble, rewards, "aggregation", prompts, _budget(run), partial=True)
    known = run.store.measurements()
    run.heartbeat.say(phase="searching", detail=f"{len(known)} combinations measured before")
    run.progress.start("search", n_grid_points(len(names), config))
    measure = Evaluator(ensemble, rewards, run.texts("aggregation"))
    best: Weights = ()
    for event in hierarchical_search(measure, len(names), config, known=known):
        if isinstance(event, SearchRound):
            run.store.add_round(event)
            best = event.best_weights
            run.heartbeat.say(detail=f"round {event.round} of {config.n_rounds} done")
            run.progress.advance(0, f"best mean reward {event.best_mean_reward:.3f}")
        else:
            run.store.add_evaluations(event)
            run.progress.advance(len(event))
        run.heartbeat.check()
    run.progress.end()
    if run.config.atlas.enabled and not run.store.counts()["certificates"]:
        prove(run, SearchBudget(seconds=run.config.atlas.proof_seconds))
    return best


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
    """Store what the aggregation prompts' atlases prove about all weights."""
    scored = [one for one in run.store.atlases() if one.split == "aggregation"]
    run.heartbeat.say(detail="proving which weights are best")
    row, front = certificate_rows(scored, run.store.best_weights(), budget)
    run.store.replace_certificate("aggregation", row, front)


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
    """Build and store the atlases that are not there; with ``partial``, open ones will do."""
    stored = [scored for scored in run.store.atlases() if scored.split == split]
    done = {s.prompt_index for s in stored if partial or s.atlas.is_complete}
    run.heartbeat.say(phase="mapping", detail=f"the responses to {len(prompts)} prompts")
    run.progress.start("map responses", len(prompts), sum(i >= first_index for i in done))
    n_open = 0
    for scored in map_prompts(
        ensemble, rewards, split, prompts, budget, first_index=first_index, skip=done
    ):
        run.store.replace_atlas(scored)
        n_open += not scored.atlas.is_complete
        run.progress.advance(1, f"{len(scored.atlas.cells)} responses")
        run.heartbeat.check()
    run.progress.end()
    if n_open:
        run.heartbeat.warn(
            f"{NOT_COMPLETE}{n_open} prompts ({split}) have more responses than the budget could "
            "find, and a search decodes what is missing. Raise atlas.nodes_per_prompt, or use "
            "`emorl atlas --nodes`."
        )


def _check(run: Run, policy: Policy, split: Split) -> None:
    """Compare all atlases of a split with the oracle; see ``mapping.wrong_cells``."""
    scored = [one for one in run.store.atlases() if one.split == split]
    texts = {(p.split, p.index): p.prompt for p in run.store.prompts()}
    oracle = Ensemble(policy, run.config.objectives, backend="generic")
    run.progress.start("check responses", len(scored))
    n_cells = n_wrong = 0
    for one in scored:
        prompt = texts[split, one.prompt_index]
        n_wrong += len(wrong_cells(oracle, [prompt], [one.atlas]))
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
    ensemble = Ensemble(policy, run.config.objectives)
    if run.config.policy.precision == "bfloat16":
        run.heartbeat.warn(
            "policy.precision = 'bfloat16': decoding is faster and not exact, so cells of the "
            "atlas and what is proven from them are approximate. Use 'float32' for exact ones."
        )
    run.heartbeat.say(backend=f"{ensemble.backend.name}: {ensemble.backend.reason}")
    return ensemble


def _budget(run: Run) -> AtlasBudget:
    return AtlasBudget(run.config.atlas.nodes_per_prompt, run.config.atlas.seconds)
