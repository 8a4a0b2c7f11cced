"""Every setting of a run: frozen data classes, checked at birth, written as TOML.

The order of ``RunConfig.objectives`` is the order of every weight and score vector in the
project; it is written down here and nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Annotated, Any, Literal

from emorl.config.checks import (
    check_at_least,
    check_between,
    check_choice,
    check_not_negative,
    check_positive,
)
from emorl.config.kinds import REWARDS, SEARCHERS
from emorl.errors import ConfigError
from emorl.names import check_name, check_objective

DataKind = Literal["embedded", "pair", "psych8k", "jsonl", "csv", "parquet"]
OnBadRow = Literal["refuse", "skip"]
Precision = Literal["float32", "bfloat16"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DataConfig:
    """Where the prompts come from; they are split by prompt, in file order."""

    kind: DataKind = "embedded"
    """Format: the embedded corpus, PAIR's CSV, Psych8k's JSON, or a table with named columns."""

    path: str = ""
    """File to read; relative paths are relative to the working directory. Unused for embedded."""

    prompt_column: str = "prompt"
    """Column or key of the prompt (jsonl, csv, parquet)."""

    response_column: str = ""
    """Column or key of a reference response (jsonl, csv, parquet); empty: there is none."""

    on_bad_row: OnBadRow = "refuse"
    """What a bad row does: refuse the file, or skip the row and list it."""

    n_prompts: int = 480
    """Prompts to generate (embedded only); at least 30."""

    max_field_characters: int = 20_000
    """A longer field makes its row a bad row."""

    train_fraction: float = 0.8
    """Share of the prompts that training reads; the first ones of the file."""

    aggregation_fraction: float = 0.1
    """Share of the prompts that the search scores weights on; the rest is for inference."""

    def __post_init__(self) -> None:
        check_choice("data.kind", self.kind, DataKind)
        check_choice("data.on_bad_row", self.on_bad_row, OnBadRow)
        if self.kind != "embedded" and not self.path:
            raise ConfigError(
                f"data.path is needed for data.kind = {self.kind!r}, got an empty text. "
                "Name the file to read."
            )
        check_at_least("data.n_prompts", self.n_prompts, 30)
        check_at_least("data.max_field_characters", self.max_field_characters, 1)
        check_between("data.train_fraction", self.train_fraction, 0.0, 1.0)
        check_between("data.aggregation_fraction", self.aggregation_fraction, 0.0, 1.0)
        if self.train_fraction + self.aggregation_fraction >= 1.0:
            raise ConfigError(
                "data.train_fraction + data.aggregation_fraction must be below 1 (the rest is "
                f"for inference), got {self.train_fraction} + {self.aggregation_fraction}."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyConfig:
    """The base model, and how it reads and writes."""

    model: str = "embedded:base"
    """Folder or hub name, encoder-decoder or decoder-only; ``embedded:base`` ships with us."""

    prompt_template: str = "{prompt}"
    """What the policy reads; must contain ``{prompt}``."""

    max_prompt_tokens: int = 128
    """Longer prompts are cut on the right when training; a prompt of one's own is refused."""

    max_new_tokens: int = 64
    """Longest response, end-of-sequence token included."""

    device: str = "auto"
    """``auto`` (CUDA when there is one), ``cpu``, ``cuda`` or ``cuda:N``."""

    precision: Precision = "float32"
    """``float32`` is exact; ``bfloat16`` is faster and may change a greedy token."""

    memory_mib: int = 2048
    """Bound on what ensemble decoding takes beside the models, in MiB: prompts, texts being
    written and what is laid out for the next step, scores, copies of weights that make it faster,
    and their code. What does not fit together is decoded in turn, or read again. Not counted: what
    the libraries keep for themselves, up to some 30 MiB on a CPU."""

    def __post_init__(self) -> None:
        if not self.model:
            raise ConfigError("policy.model must name a folder or hub model, got an empty text.")
        if "{prompt}" not in self.prompt_template:
            raise ConfigError(
                f"policy.prompt_template must contain '{{prompt}}', got {self.prompt_template!r}."
            )
        check_between("policy.max_prompt_tokens", self.max_prompt_tokens, 1, 10**6)
        check_between("policy.max_new_tokens", self.max_new_tokens, 1, 10**5)
        check_between("policy.memory_mib", self.memory_mib, 1, 10**7)
        check_choice("policy.precision", self.precision, Precision)
        known = self.device in ("auto", "cpu", "cuda")
        if not known and not (self.device.startswith("cuda:") and self.device[5:].isdigit()):
            raise ConfigError(
                f"policy.device must be 'auto', 'cpu', 'cuda' or 'cuda:N', got {self.device!r}."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterConfig:
    """LoRA on every linear layer but the head (Hu et al. 2021)."""

    rank: int = 8
    """Rank r of the update."""

    alpha: float = 32.0
    """The update is scaled by alpha / rank."""

    dropout: float = 0.05
    """Dropout on the input of the update while training."""

    def __post_init__(self) -> None:
        check_between("adapter.rank", self.rank, 1, 10**4)
        check_positive("adapter.alpha", self.alpha)
        check_between("adapter.dropout", self.dropout, 0.0, 0.999)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingConfig:
    """Self-critical sequence training of one adapter (EMORL, arXiv:2505.02579, section 5.1)."""

    prompts_per_step: int = 16
    """Prompts of one optimiser step; data consumption counts these."""

    samples_per_prompt: int = 3
    """Responses k sampled for each prompt; their mean reward is the baseline. At least 2."""

    max_steps: int = 10_000
    """Optimiser steps at most."""

    learning_rate: float = 1e-4
    """AdamW learning rate, constant."""

    weight_decay: float = 0.01
    """AdamW weight decay."""

    max_gradient_norm: float = 2.0
    """Gradients are clipped to this norm."""

    temperature: float = 1.0
    """Temperature of the sampled policy, which is also the policy that is trained."""

    kl_coefficient: float = 0.2
    """Weight of the KL to the base, in nats per response; 0 is none (as in the paper's code)."""

    validate_every: int = 8
    """Steps between validations on the aggregation split."""

    validation_samples: int = 3
    """Responses sampled for each validation prompt."""

    convergence_window: int = 20
    """Validations that the convergence rule looks at; at least 2."""

    convergence_threshold: float = 0.015
    """Converged when standard deviation / mean of the window is below this."""

    def __post_init__(self) -> None:
        for name, least in (
            ("prompts_per_step", 1),
            ("samples_per_prompt", 2),
            ("max_steps", 1),
            ("validate_every", 1),
            ("validation_samples", 1),
            ("convergence_window", 2),
        ):
            check_at_least(f"training.{name}", getattr(self, name), least)
        for name in ("learning_rate", "max_gradient_norm", "temperature"):
            check_positive(f"training.{name}", getattr(self, name))
        for name in ("weight_decay", "kl_coefficient", "convergence_threshold"):
            check_not_negative(f"training.{name}", getattr(self, name))


@dataclass(frozen=True, slots=True, kw_only=True)
class AtlasConfig:
    """The atlas: every response that any weights give to the prompts that the search scores."""

    enabled: bool = True
    """Whether a run maps the aggregation prompts before it searches."""

    nodes_per_prompt: int = 400
    """Most prefixes read of one prompt; what is left of the simplex then stays open."""

    seconds: float = 600.0
    """Most time for 32 prompts."""

    proof_seconds: float = 60.0
    """Most time to prove which weights are best, and again to find the exact front."""

    def __post_init__(self) -> None:
        check_at_least("atlas.nodes_per_prompt", self.nodes_per_prompt, 1)
        check_positive("atlas.seconds", self.seconds)
        check_positive("atlas.proof_seconds", self.proof_seconds)


def _default_searcher() -> Any:
    return SEARCHERS.kind(SEARCHERS.default).Config()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunConfig:
    """One run: train every objective, then search the weights."""

    name: str = "run"
    """Name of the run's folder below ``artifacts/runs``."""

    seed: int = 0
    """Seed of everything random in the run."""

    threads: int = 2
    """CPU threads of Torch; another number gives another (equally valid) run."""

    train_together: bool = True
    """Whether the adapters share every pass of the base, which takes more memory; on CPUs, where
    the products are the cost, it takes as long. Otherwise one after the other, with the same
    results up to rounding."""

    objectives: tuple[str, ...] = ("reflection", "empathy", "fluency")
    """Names of the rewards, in the order of every weight and score vector."""

    data: DataConfig = field(default_factory=DataConfig)
    policy: PolicyConfig = field(default_factory=PolicyConfig)
    adapter: AdapterConfig = field(default_factory=AdapterConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    search: Annotated[Any, SEARCHERS] = field(default_factory=_default_searcher)
    """How weights are searched: ``[search]`` with a ``kind``."""
    atlas: AtlasConfig = field(default_factory=AtlasConfig)
    rewards: dict[str, Annotated[Any, REWARDS]] = field(default_factory=dict)
    """One table per objective: ``[rewards.NAME]``."""
    training_overrides: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Training settings of single objectives: ``[training_overrides.NAME]``."""

    def __post_init__(self) -> None:
        check_name("name", self.name)
        check_between("threads", self.threads, 1, 1024)
        check_at_least("seed", self.seed, 0)
        lower = {name.lower() for name in self.objectives}  # they name folders too
        if len(self.objectives) < 2 or len(lower) != len(self.objectives):
            raise ConfigError(
                f"objectives must be at least two different names, got {list(self.objectives)}."
            )
        for name in self.objectives:
            check_objective(name)
        if set(self.rewards) != set(self.objectives):
            raise ConfigError(
                f"Need one [rewards.NAME] table per objective {list(self.objectives)}, got "
                f"{sorted(self.rewards)}. Add what is missing, remove what is not an objective."
            )
        if self.search.kind != SEARCHERS.default:
            raise ConfigError(
                f"search.kind must be {SEARCHERS.default!r}, which a run does by itself, got "
                f"{self.search.kind!r}. Others are done on a run that is trained: "
                f"`emorl search RUN --searcher {self.search.kind}`."
            )
        unknown = set(self.training_overrides) - set(self.objectives)
        if unknown:
            raise ConfigError(
                f"training_overrides names {sorted(unknown)}, which is no objective; "
                f"the objectives are {list(self.objectives)}."
            )
        for name in self.objectives:
            self.training_for(name)

    def training_for(self, objective: str) -> TrainingConfig:
        """Return the training settings of one objective: the common ones and its overrides."""
        overrides = self.training_overrides.get(objective, {})
        known = {setting.name for setting in fields(TrainingConfig)}
        unknown = sorted(set(overrides) - known)
        if unknown:
            raise ConfigError(
                f"training_overrides.{objective} has the unknown key {unknown[0]!r}; "
                f"allowed are {sorted(known)}."
            )
        try:
            return replace(self.training, **overrides)
        except ConfigError as error:
            raise ConfigError(f"training_overrides.{objective}: {error}") from None
