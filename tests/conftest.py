"""Settings that every test shares."""

from __future__ import annotations

import torch

# Tiny models gain nothing from threads, and one thread gives the same bits on every machine.
torch.set_num_threads(1)
