"""The dashboard with generation replaced by the formula of ``tests.support.formula``: no model."""

from __future__ import annotations

from emorl.config.files import read_config
from emorl.runs.folder import RunFolder
from emorl_dashboard import app
from emorl_dashboard.live import models as live
from tests.support.formula_models import FormulaModels


def load(folder: RunFolder) -> FormulaModels:
    return FormulaModels(read_config(folder.config).objectives)


if __name__ == "__main__":
    if not live.is_loader(load.__name__):
        live.use_loader(load)
    app.main()
