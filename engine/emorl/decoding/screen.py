"""Which few tokens a head can score highest: screened by 8-bit products, within proven bounds.

A prefix asks the head for the scores of all tokens by all members, and keeps those few that can
win. Products of 8-bit integers cost a fraction of those in float32, and miss a score by no more
than what was rounded off allows (Cauchy-Schwarz). Tokens that cannot reach the best one by that
margin are out; the few others are scored in float32. Nothing is approximate about the result.

Letters in shapes: n members, m states, B blocks of tokens, c candidates.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from weakref import WeakKeyDictionary

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

_BLOCK = 128
"""Tokens that share a unit of rounding; the largest product of a block stands for it at first."""
_MOST_BLOCKS = 32
"""Blocks left per state, on average; with more, the full product costs no more."""
_MOST_CANDIDATES = 64
"""The same for tokens."""
_LEAST_WEIGHTS = 2**21
"""Smaller heads are faster at their full product."""
_LARGEST = 127
_ROWS_AT_ONCE = (8, 16, 24, 48, 72, 96)
"""Rows of states in one product, filled up with zeros: code is made anew for every other size."""


Product = Callable[[Tensor, Tensor, Tensor], None]
"""Multiplies 8-bit integers ``(m, d)`` and ``(v, d)`` into the 32-bit ``(m, v)`` it is given."""


@cache
def has_fast_integers() -> bool:
    """Tell whether products of 8-bit integers are fast here, and exact.

    Without instructions meant for them they are slow, and their sums may overflow.
    """
    is_there: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    if not (is_there and torch.cpu._is_vnni_supported()):
        return False
    # The library may have been told to leave those instructions alone: ask it the worst case.
    rows = torch.full((_ROWS_AT_ONCE[0], 256), _LARGEST, dtype=torch.int8)
    product = torch.empty(len(rows), _BLOCK, dtype=torch.int32)
    integer_product(rows, rows[:1].expand(_BLOCK, -1).contiguous(), product)
    return bool((product == 256 * _LARGEST**2).all())


def integer_product(rows: Tensor, weight: Tensor, out: Tensor) -> None:
    """Multiply with the processor's instructions for it."""
    torch._int_mm(rows, weight.T, out=out)


def double_product(rows: Tensor, weight: Tensor, out: Tensor) -> None:
    """Multiply in double precision: exact on every processor, and slow."""
    out.copy_(rows.double() @ weight.double().T)


@dataclass(frozen=True, slots=True)
class Candidates:
    """Tokens that can win after some states; no other can."""

    rows: Tensor
    """Place of the state, ascending, ``(c,)``."""
    tokens: Tensor
    """Ascending for each state, ``(c,)``."""
    scores: Tensor
    """By every member, ``(n, c)``."""


class Screen:
    """Screens the tokens of a head without bias; the weights are the model's at each call."""

    def __init__(self, head: nn.Linear, product: Product | None = None) -> None:
        """Remember the head; nothing is copied yet.

        Args:
            head: The head whose tokens are screened.
            product: How 8-bit integers are multiplied; by default in whichever way is exact on
                this processor.
        """
        self._head = head
        self._product = product or (integer_product if has_fast_integers() else double_product)
        # Fresh memory for every product would cost more than the product.
        self._room = torch.empty(0, dtype=torch.int32)
        self.may_copy = False
        """Whether there is memory for the rounded weight; without it nothing is screened."""

    @staticmethod
    def pays_for(head: nn.Linear) -> bool:
        """Tell whether a head is large enough, and its device multiplies 8-bit integers fast."""
        weight = head.weight
        return (
            weight.device.type == "cpu"
            and weight.dtype == torch.float32
            and weight.numel() >= _LEAST_WEIGHTS
            and has_fast_integers()
            and head.bias is None
        )

    @property
    def bytes_of_copy(self) -> int:
        """Memory of the rounded weight and of the products, once they are made."""
        per_token = self._head.in_features + 8 + 4 * _ROWS_AT_ONCE[-1]
        return self._n_blocks * (_BLOCK * per_token + 4)

    @property
    def _n_blocks(self) -> int:
        return -(-self._head.out_features // _BLOCK)

    @torch.no_grad()
    def candidates(self, states: Tensor) -> Candidates | None:
        """Return the tokens that can have the largest ``sum_i w_i score_i`` for some w >= 0.

        A token stays if at least one member may score it as high as it scores one certain token:
        of the members' best, the one that all of them together score highest. So a token that
        wins under some weights is among the candidates, and few others are.

        Args:
            states: Head inputs, ``(n, m, d_model)``.

        Returns:
            The candidates, or None if nothing was screened: there is no memory for it, they would
            be too many, or a state is not finite.
        """
        if not self.may_copy:
            return None
        at_once = max(1, _ROWS_AT_ONCE[-1] // len(states))
        parts = []
        for start in range(0, states.shape[1], at_once):
            part = self._candidates_of(states[:, start : start + at_once])
            if part is None:
                return None
            parts.append(replace(part, rows=part.rows + start))
        return Candidates(
            torch.cat([part.rows for part in parts]),
            torch.cat([part.tokens for part in parts]),
            torch.cat([part.scores for part in parts], dim=1),
        )

    def _candidates_of(self, states: Tensor) -> Candidates | None:
        units = states.abs().amax(dim=-1, keepdim=True) / _LARGEST
        if not bool(torch.isfinite(units).all()):
            return None
        weight = self._rounded()
        rounded = _RoundedStates.of(states, units.clamp_(min=torch.finfo(units.dtype).tiny))
        products = self._products(rounded.steps, weight.steps)
        highest = products.amax(dim=-1)

        threshold = self._threshold(states, self._likely(products, highest * weight.units))
        threshold = threshold.unsqueeze(-1) / units
        slack = rounded.slack(weight.norms.amax(dim=1), weight.missed.amax(dim=1))
        may_win = ((highest + slack) * weight.units >= threshold).any(dim=0)
        row, block = may_win.nonzero(as_tuple=True)
        if len(row) > _MOST_BLOCKS * states.shape[1]:
            return None
        slack = rounded.at(row).slack(weight.norms[block], weight.missed[block])
        scaled = (products[:, row, block] + slack) * weight.units[block].unsqueeze(-1)
        place, offset = (scaled >= threshold[:, row]).any(dim=0).nonzero(as_tuple=True)
        rows, tokens = row[place], block[place] * _BLOCK + offset
        is_token = tokens < self._head.out_features
        rows, tokens = rows[is_token], tokens[is_token]
        if len(rows) > _MOST_CANDIDATES * states.shape[1]:
            return None
        return Candidates(rows, tokens, self._scores(states, rows, tokens))

    def _products(self, states: Tensor, weight: Tensor) -> Tensor:
        """Return the products of all steps, ``(n, m, B, _BLOCK)``, valid until the next call."""
        rows = states.flatten(0, 1)
        n_rows = len(rows)
        # With very many members one state has more rows than there are at once.
        filled = next((size for size in _ROWS_AT_ONCE if size >= n_rows), n_rows)
        rows = F.pad(rows, (0, 0, 0, filled - n_rows))
        if len(self._room) < filled:
            self._room = torch.empty(filled, len(weight), dtype=torch.int32)
        products = self._room[:filled]
        self._product(rows, weight, products)
        return products[:n_rows].view(*states.shape[:2], -1, _BLOCK)

    def _likely(self, products: Tensor, highest: Tensor) -> Tensor:
        """Return the token that each member seems to score highest, ``(n, m)``."""
        n, m = highest.shape[:2]
        block = highest.argmax(dim=-1)
        members, rows = torch.arange(n).unsqueeze(1), torch.arange(m)
        token = block * _BLOCK + products[members, rows, block].argmax(dim=-1)
        return token.clamp_(max=self._head.out_features - 1)

    def _threshold(self, states: Tensor, likely: Tensor) -> Tensor:
        """Return every member's score of the best of these tokens, ``(n, m)``."""
        n, m = likely.shape
        rows = torch.arange(m)
        scores = self._scores(states, rows.repeat(n), likely.flatten()).view(n, n, m)
        return scores[:, scores.sum(dim=0).argmax(dim=0), rows]

    def _scores(self, states: Tensor, rows: Tensor, tokens: Tensor) -> Tensor:
        """Return the members' exact scores of tokens after states, ``(n, c)``."""
        weights = F.embedding(tokens, self._head.weight)
        return (states[:, rows] * weights).sum(dim=-1)

    def _rounded(self) -> _RoundedWeight:
        weight = self._head.weight
        source = (weight.data_ptr(), weight._version)
        held = _rounded_weights.get(self._head)
        if held is None or held.source != source:
            held = _RoundedWeight.of(weight.detach(), source)
            _rounded_weights[self._head] = held
        return held


@dataclass(frozen=True, slots=True)
class _RoundedWeight:
    """A head's weight: about ``steps`` times its block's unit; lengths are in that unit."""

    steps: Tensor
    """8-bit integers, ``(B * _BLOCK, d_model)``; zeros fill up the last block."""
    units: Tensor
    """``(B,)``."""
    norms: Tensor
    """Length of each token's row, ``(B, _BLOCK)``."""
    missed: Tensor
    """Length of what was rounded off, ``(B, _BLOCK)``."""
    source: tuple[int, int]
    """Address and version of what was rounded."""

    @classmethod
    def of(cls, weight: Tensor, source: tuple[int, int]) -> _RoundedWeight:
        """Round a weight ``(vocab, d_model)``, block by block."""
        vocabulary, width = weight.shape
        n_blocks = -(-vocabulary // _BLOCK)
        steps = torch.zeros(n_blocks * _BLOCK, width, dtype=torch.int8)
        units, norms = torch.empty(n_blocks), torch.zeros(n_blocks, _BLOCK)
        missed = torch.zeros(n_blocks, _BLOCK)
        for block, rows in enumerate(torch.split(weight, _BLOCK)):
            largest = rows.abs().max() / _LARGEST
            unit = largest.clamp(min=torch.finfo(largest.dtype).tiny)
            exact = rows / unit
            whole = exact.round()
            steps[block * _BLOCK :][: len(rows)] = whole.to(torch.int8)
            units[block] = unit
            norms[block, : len(rows)] = exact.norm(dim=1)
            missed[block, : len(rows)] = (exact - whole).norm(dim=1)
        return cls(steps, units, norms, missed, source)


@dataclass(frozen=True, slots=True)
class _RoundedStates:
    """States: about ``steps`` times each one's unit; lengths are in that unit."""

    steps: Tensor
    """8-bit integers, ``(n, m, d_model)``."""
    norms: Tensor
    """Length of the steps, ``(n, m)``."""
    missed: Tensor
    """Length of what was rounded off, ``(n, m)``."""

    @classmethod
    def of(cls, states: Tensor, units: Tensor) -> _RoundedStates:
        """Round states, ``(n, m, d_model)``."""
        exact = states / units
        whole = exact.round()
        norms = whole.norm(dim=-1)
        # Sums in float32 round too: those that scores are, and those of this comparison.
        summing = 2 * states.shape[-1] * torch.finfo(torch.float32).eps
        missed = (exact - whole).norm(dim=-1) + summing * norms
        return cls(whole.to(torch.int8), norms, missed)

    def at(self, rows: Tensor) -> _RoundedStates:
        """Return some of them."""
        return _RoundedStates(self.steps[:, rows], self.norms[:, rows], self.missed[:, rows])

    def slack(self, norms: Tensor, missed: Tensor) -> Tensor:
        """Bound how far products of integers are from those of what they stand for.

        Args:
            norms: Lengths of the weight's rows, ``(..., k)``.
            missed: Lengths of what was rounded off of them, same shape.

        Returns:
            ``(n, m, k)``, by Cauchy-Schwarz.
        """
        return self.missed.unsqueeze(-1) * norms + self.norms.unsqueeze(-1) * missed


_rounded_weights: WeakKeyDictionary[nn.Linear, _RoundedWeight] = WeakKeyDictionary()
