"""The registries that settings refer to: which kinds there are is known only when one is used."""

from __future__ import annotations

from emorl.registry import Registry

REWARDS = Registry(
    "rewards",
    "emorl.rewards.kinds",
    "reward",
    default="sequence_classifier",
    retired={
        "model": "",
        "target": "",
        "module_folder": "",
        "output": "expected_level",
        "scored_text": "pair",
        "perplexity_ceiling": 50.0,
        "max_tokens": 512,
    },
)
"""Scorers of one objective: ``load(config, objective, device) -> rewards.scorer.Scorer``."""

SEARCHERS = Registry("searchers", "emorl.search", "searcher", default="hierarchical")
"""Weight searches: ``load(config, space, seed) -> search.protocol.Searcher``."""

SCALARIZERS = Registry("scalarizers", "emorl.scalarizers", "scalarizer")
"""Rewards of policies: ``load(config, objectives) -> scalarizers.protocol.Scalarizer``."""

RULES = Registry("rules", "emorl.rules", "rule", default="fixed")
"""Where weights come from: ``load(config, n_objectives) -> rules.protocol.WeightRule``."""

LEVELS = Registry("levels", "emorl.decoding.levels", "level", default="hidden_state")
"""How members decide a token: ``load(config) -> decoding.levels.protocol.Level``."""
