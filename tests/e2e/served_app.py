"""The dashboard with generation replaced by the formula of ``tests.formula``: no model."""

from __future__ import annotations

from dashboard import app, live
from engine.artifacts import RunFolder
from engine.config_file import read_config
from engine.directions import canonical_direction
from engine.errors import PromptError
from engine.records import Response, Weights
from tests.formula import response_text, scores_of


class FormulaModels:
    """Answers every prompt with a text and scores that depend on the weights only."""

    def __init__(self, objectives: tuple[str, ...]) -> None:
        self._objectives = objectives

    def compare(self, prompt: str, weights: Weights) -> dict[str, Response]:
        if "too long" in prompt:
            raise PromptError("A prompt may have 128 tokens, got 300. Shorten it.")
        canonical_direction(weights)  # refuses the zero vector
        n_objectives = len(self._objectives)
        systems = {"ensemble": weights, "base": (0.0,) * n_objectives}
        for place, name in enumerate(self._objectives):
            systems[f"adapter:{name}"] = tuple(float(i == place) for i in range(n_objectives))
        return {system: self._response(prompt, of) for system, of in systems.items()}

    def _response(self, prompt: str, weights: Weights) -> Response:
        return Response(
            prompt_index=0,
            text=f"{response_text(weights, 1)} You said: {prompt}",
            n_tokens=9,
            scores=scores_of(weights),
        )


def load(folder: RunFolder) -> FormulaModels:
    return FormulaModels(read_config(folder.config).objectives)


if __name__ == "__main__":
    if not live.is_loader(load.__name__):
        live.use_loader(load)
    app.main()
