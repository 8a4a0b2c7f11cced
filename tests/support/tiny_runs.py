"""Settings of complete runs that take seconds: a tiny random policy and formula rewards."""

from __future__ import annotations

from pathlib import Path

from emorl.config import (
    AdapterConfig,
    DataConfig,
    PolicyConfig,
    RunConfig,
    TrainingConfig,
)
from emorl.config.kinds import REWARDS
from emorl.search import hierarchical
from tests.support.tiny_models import save_tiny_t5

OBJECTIVES = ("letters", "brevity", "variety")


def write_prompts(path: Path, n: int = 20) -> Path:
    """Write a CSV of ``n`` prompts."""
    lines = [f"I have tried to stop smoking {i} times and my family worries." for i in range(n)]
    path.write_text("prompt\n" + "".join(f'"{line}"\n' for line in lines), encoding="utf-8")
    return path


def tiny_run(folder: Path, *, name: str = "tiny", seed: int = 0) -> RunConfig:
    """Return settings of a run that trains, searches and scores in a few seconds."""
    model = folder / "base"
    if not model.is_dir():
        save_tiny_t5(model)
    data = folder / "prompts.csv"
    if not data.is_file():
        write_prompts(data)
    return RunConfig(
        name=name,
        seed=seed,
        threads=1,
        objectives=OBJECTIVES,
        data=DataConfig(kind="csv", path=str(data), prompt_column="prompt"),
        policy=PolicyConfig(model=str(model), max_new_tokens=8, device="cpu"),
        adapter=AdapterConfig(rank=4),
        training=TrainingConfig(
            prompts_per_step=4,
            samples_per_prompt=2,
            max_steps=6,
            learning_rate=1e-2,
            validate_every=2,
            validation_samples=2,
        ),
        search=hierarchical.Config(n_rounds=2, directions_per_batch=5),
        rewards={
            objective: REWARDS.config(
                "callable", target=f"tests.support.formula_rewards:{objective}"
            )
            for objective in OBJECTIVES
        },
    )
