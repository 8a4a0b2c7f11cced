"""Settings: what there is (``settings``), what a value may be (``checks``), TOML (``files``)."""

from emorl.config.settings import (
    AdapterConfig,
    AtlasConfig,
    ClassifierOutput,
    DataConfig,
    DataKind,
    OnBadRow,
    PolicyConfig,
    Precision,
    RewardConfig,
    RewardKind,
    RunConfig,
    ScoredText,
    TrainingConfig,
)

__all__ = [
    "AdapterConfig",
    "AtlasConfig",
    "ClassifierOutput",
    "DataConfig",
    "DataKind",
    "OnBadRow",
    "PolicyConfig",
    "Precision",
    "RewardConfig",
    "RewardKind",
    "RunConfig",
    "ScoredText",
    "TrainingConfig",
]
