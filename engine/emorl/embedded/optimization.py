"""The training loop that the base and the scorers share: AdamW, warm-up, cosine."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from random import Random

import torch
from torch import Tensor, nn

_LOG = logging.getLogger(__name__)

_WARMUP_STEPS = 100
_MAX_GRADIENT_NORM = 1.0
_LOGGED_EVERY = 100


def train(
    model: nn.Module,
    loss_of: Callable[[list[int]], Tensor],
    *,
    n_examples: int,
    n_steps: int,
    batch_size: int,
    learning_rate: float,
    seed: int,
) -> None:
    """Train ``model`` in place and leave it in evaluation mode.

    Args:
        model: What to train.
        loss_of: Loss of the examples with these indices, a scalar with a gradient.
        n_examples: Examples there are; batches are epochs of seeded orders.
        n_steps: Updates.
        batch_size: Examples in an update.
        learning_rate: At the end of the warm-up; a cosine takes it to a hundredth.
        seed: Seed of the order of examples. Dropout draws from Torch's own generator.
    """
    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: _share_of_rate(step, n_steps)
    )
    rng, waiting = Random(f"order/{seed}"), list[int]()
    model.train()
    started = time.perf_counter()
    for step in range(1, n_steps + 1):
        if len(waiting) < batch_size:
            waiting = rng.sample(range(n_examples), n_examples)
        batch, waiting = waiting[:batch_size], waiting[batch_size:]
        loss = loss_of(batch)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), _MAX_GRADIENT_NORM)
        optimizer.step()
        schedule.step()
        if step % _LOGGED_EVERY == 0:
            seconds = time.perf_counter() - started
            _LOG.info("step %d of %d: loss %.3f, %.0f s", step, n_steps, loss.item(), seconds)
    model.eval()


def _share_of_rate(step: int, n_steps: int) -> float:
    warmed = min(1.0, (step + 1) / _WARMUP_STEPS)
    return warmed * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * step / n_steps)))
