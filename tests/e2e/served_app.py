"""The dashboard with generation replaced by the formula of ``tests.formula``: no model."""

from __future__ import annotations

from dashboard import app, live
from engine.artifacts import RunFolder
from engine.config_file import read_config
from tests.formula_models import FormulaModels


def load(folder: RunFolder) -> FormulaModels:
    return FormulaModels(read_config(folder.config).objectives)


if __name__ == "__main__":
    if not live.is_loader(load.__name__):
        live.use_loader(load)
    app.main()
