"""Batches: similar lengths together, none too large, shapes that do not depend on the company."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from emorl.rewards.batching import Batch, batches_by_length


@settings(deadline=None)  # the machine may be busy
@given(st.lists(st.integers(1, 70), max_size=60), st.integers(1, 20))
def test_every_row_is_in_one_batch_of_its_own_rounded_length(
    lengths: list[int], batch_size: int
) -> None:
    batches = list(batches_by_length(lengths, batch_size, limit=70))
    assert sorted(row for batch in batches for row in batch.rows) == list(range(len(lengths)))
    for batch in batches:
        assert 1 <= len(batch.rows) <= batch_size
        # 70 is no multiple of 16: the model's limit cuts the last group.
        assert {min(-(-lengths[row] // 16) * 16, 70) for row in batch.rows} == {batch.n_tokens}
        assert batch.n_rows % min(8, batch_size) == 0


def test_shorter_batches_come_first_and_equals_keep_their_order() -> None:
    batches = list(batches_by_length([40, 5, 33, 16, 6], batch_size=2, limit=512))
    assert [(batch.rows, batch.n_tokens) for batch in batches] == [
        ((1, 3), 16),
        ((4,), 16),
        ((0, 2), 48),
    ]


def test_tensors_are_padded_on_the_right_and_filled_with_the_last_pair() -> None:
    batch = Batch(rows=(2, 0), n_rows=3, n_tokens=4)
    tensor = batch.tensor([[1, 2], [9], [3, 4, 5]], padding=0, device="cpu")
    expected = torch.tensor([[3, 4, 5, 0], [1, 2, 0, 0], [1, 2, 0, 0]])
    torch.testing.assert_close(tensor, expected)
