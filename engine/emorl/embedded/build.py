"""Rebuild the embedded models: ``python -m emorl.embedded.build --out DIR [--seed 0]``.

The same seed, versions and processor give the same files. Everything runs on one CPU thread,
because another number of threads gives (slightly) other numbers.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from tokenizers import Tokenizer
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from emorl.data.corpus import Exchange, generate_exchanges
from emorl.embedded import EMBEDDED_NAMES, EMBEDDED_ROOT
from emorl.embedded.base import train_base
from emorl.embedded.examples import draw_examples
from emorl.embedded.scorers import train_classifiers, train_fluency
from emorl.embedded.tokenizer import tokenizer_for, train_vocabulary
from emorl.errors import ModelError

_LOG = logging.getLogger(__name__)

_N_EXCHANGES = 60_000
_N_EXAMPLES = 100_000
_N_VOCABULARY_EXCHANGES = 10_000


def main(arguments: Sequence[str] | None = None) -> None:
    """Build the models that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m emorl.embedded.build", description=__doc__)
    parser.add_argument(
        "--out", type=Path, default=EMBEDDED_ROOT, help="folder to write the model folders into"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of corpus and training")
    parser.add_argument(
        "--only", default=",".join(EMBEDDED_NAMES), help="comma-separated names of models"
    )
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    build(options.out, seed=options.seed, names=options.only.split(","))


def build(folder: Path, *, seed: int = 0, names: Sequence[str] = EMBEDDED_NAMES) -> None:
    """Train the named models and save each to a folder of its name.

    Raises:
        ModelError: If there is no embedded model of one of the names.
    """
    unknown = sorted(set(names) - set(EMBEDDED_NAMES))
    if unknown:
        raise ModelError(
            f"There is no embedded model {unknown[0]!r}; --only takes {', '.join(EMBEDDED_NAMES)}."
        )
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        exchanges = generate_exchanges(_N_EXCHANGES, seed)
        vocabulary = build_vocabulary(exchanges)
        for builds, build_models in _BUILDERS.items():
            if set(builds) & set(names):
                _LOG.info("training %s", " and ".join(builds))
                for name, (model, tokenizer) in build_models(exchanges, vocabulary, seed).items():
                    if name in names:
                        _save(folder / name, model, tokenizer)
    finally:
        torch.set_num_threads(n_threads)


def build_vocabulary(exchanges: Sequence[Exchange]) -> Tokenizer:
    """Train the shared vocabulary on the first exchanges."""
    texts = (
        text
        for exchange in exchanges[:_N_VOCABULARY_EXCHANGES]
        for text in (exchange.prompt, exchange.response)
    )
    return train_vocabulary(texts)


_Models = dict[str, tuple[PreTrainedModel, PreTrainedTokenizerFast]]


def _build_base(exchanges: Sequence[Exchange], vocabulary: Tokenizer, seed: int) -> _Models:
    tokenizer = tokenizer_for(vocabulary, "encoder")
    return {"base": (train_base(exchanges, tokenizer, seed=seed), tokenizer)}


def _build_classifiers(_: Sequence[Exchange], vocabulary: Tokenizer, seed: int) -> _Models:
    tokenizer = tokenizer_for(vocabulary, "pair")
    models = train_classifiers(draw_examples(_N_EXAMPLES, seed), tokenizer, seed=seed)
    return {name: (model, tokenizer) for name, model in models.items()}


def _build_fluency(exchanges: Sequence[Exchange], vocabulary: Tokenizer, seed: int) -> _Models:
    tokenizer = tokenizer_for(vocabulary, "language_model")
    return {"fluency": (train_fluency(exchanges, tokenizer, seed=seed), tokenizer)}


_BUILDERS: dict[tuple[str, ...], Callable[[Sequence[Exchange], Tokenizer, int], _Models]] = {
    ("base",): _build_base,
    ("reflection", "empathy"): _build_classifiers,
    ("fluency",): _build_fluency,
}


def _save(folder: Path, model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> None:
    model.save_pretrained(folder)
    tokenizer.save_pretrained(str(folder))
    _LOG.info("saved %s: %d parameters", folder, model.num_parameters())


if __name__ == "__main__":
    main()
