"""The chances of sampled responses: each response has its own, so batches do not matter."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import torch

from emorl.config.checks import check_positive, check_whole
from emorl.decoding.loop import Choose, drawn
from emorl.errors import ConfigError
from emorl.seeds import derived_seed


class SampleNoise:
    """A chance per sample, prompt and token, from one seed.

    It depends on the prompt's text and how often that came before, on no other prompt.
    """

    def __init__(
        self,
        prompts: Sequence[str],
        *,
        n_samples: int,
        n_tokens: int,
        temperature: float,
        seed: int,
        device: torch.device,
    ) -> None:
        """Draw them.

        Args:
            prompts: Texts.
            n_samples: Responses to each.
            n_tokens: Longest response.
            temperature: Above 0 and finite.
            seed: Any whole number.
            device: Where the scores will be.

        Raises:
            ConfigError: If a number is impossible.
        """
        check_whole("n_samples", n_samples, least=0)
        check_whole("seed", seed)
        given: object = temperature
        if not isinstance(given, int | float | np.number):
            raise ConfigError(f"temperature must be a number, got {given!r}.")
        check_positive("temperature", temperature)
        self._temperature = float(temperature)
        self._device = device
        self._chances = np.empty((n_samples, len(prompts), n_tokens))
        seen: Counter[str] = Counter()
        for place, prompt in enumerate(prompts):
            for sample in range(n_samples):
                own = derived_seed(int(seed), "sample", sample, seen[prompt], prompt)
                self._chances[sample, place] = np.random.default_rng(own).random(n_tokens)
            seen[prompt] += 1

    def choice(self, samples: slice, prompts: slice) -> Choose:
        """Return the choice of tokens for some samples of some prompts, for one decoding."""
        own = torch.from_numpy(self._chances[samples, prompts]).to(self._device).flatten(0, 1)
        return drawn(own.new_full((len(own),), self._temperature), own)
