"""What a policy is trained for: plain settings, named by their content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from emorl.config import AdapterConfig, TrainingConfig
from emorl.rules import fixed
from emorl.scalarizers import single


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySpec:
    """An adapter to be trained: with which reward, which settings, which seed."""

    label: str
    """What people call it; not part of its key."""
    scalarizer: Any
    """Settings of a kind of ``SCALARIZERS``."""
    preferences: Any = field(default_factory=fixed.Config)
    """Settings of a kind of ``RULES``: the weights that the scalarizer gets for each prompt."""
    training: TrainingConfig = field(default_factory=TrainingConfig)
    adapter: AdapterConfig = field(default_factory=AdapterConfig)
    seed: int = 0

    @property
    def key(self) -> str:
        """``p_`` and 16 hexadecimal digits: the same for whatever trains the same policy."""
        content = asdict(replace(self, label=""))
        text = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return f"p_{hashlib.sha256(text.encode()).hexdigest()[:16]}"

    @property
    def stream(self) -> str:
        """Name of its random numbers: equal policies draw equal prompts and samples.

        A policy of one objective draws by the objective's name, as it did before policies had
        keys: runs of the first release go on with the same numbers.
        """
        if isinstance(self.scalarizer, single.Config):
            return self.scalarizer.objective
        return self.key


def policies_of_objectives(
    objectives: Sequence[str],
    training: Sequence[TrainingConfig],
    adapter: AdapterConfig,
    seed: int,
) -> list[PolicySpec]:
    """Return one policy per objective, which is trained with nothing else.

    Args:
        objectives: Names, in the order of the run.
        training: Settings of each.
        adapter: Settings of all.
        seed: Seed of the run.
    """
    return [
        PolicySpec(
            label=name,
            scalarizer=single.Config(objective=name),
            training=own,
            adapter=adapter,
            seed=seed,
        )
        for name, own in zip(objectives, training, strict=True)
    ]
