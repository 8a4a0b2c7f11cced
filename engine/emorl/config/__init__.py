"""Settings: what there is (``settings``), what a value may be (``checks``), TOML (``files``)."""

from emorl.config.settings import (
    AdapterConfig,
    AtlasConfig,
    DataConfig,
    DataKind,
    OnBadRow,
    PolicyConfig,
    Precision,
    RunConfig,
    TrainingConfig,
)

__all__ = [
    "AdapterConfig",
    "AtlasConfig",
    "DataConfig",
    "DataKind",
    "OnBadRow",
    "PolicyConfig",
    "Precision",
    "RunConfig",
    "TrainingConfig",
]
