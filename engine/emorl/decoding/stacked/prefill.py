"""Reading whole prompts: all tokens of all prompts in one product, padding left out.

A *row* is a real token; rows are in the order of prompts and, within a prompt, of tokens. Letters
in shapes: n members, p prompts, S their padded length, t rows, k key-value heads, g queries that
share one, d width of a head.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor


class PromptRows:
    """Where the real tokens of padded prompts are."""

    def __init__(self, attention_mask: Tensor) -> None:
        """Find them: where the mask, ``(p, S)``, is not 0."""
        self.n_prompts, self._length = attention_mask.shape
        is_real = attention_mask.bool()
        self._places: Tensor | None = None
        if not is_real.all():
            self._places = is_real.flatten().nonzero().squeeze(1)
            row_of_place = is_real.flatten().long().cumsum(dim=0) - 1
            self._row_of_place = row_of_place.clamp(min=0)
        self.lengths = is_real.sum(dim=1)
        """Number of real tokens per prompt, ``(p,)``."""
        self.last = self.lengths.cumsum(dim=0) - 1
        """The row of each prompt's last token, ``(p,)``."""

    def of(self, padded: Tensor) -> Tensor:
        """Take the rows out of ``(p, S)``: ``(t,)``."""
        flat = padded.flatten()
        return flat if self._places is None else flat[self._places]

    def padded(self, rows: Tensor) -> Tensor:
        """Lay ``(n, t, heads, d)`` out as ``(n, p, S, heads, d)``, any row at padding."""
        if self._places is not None:
            rows = rows.index_select(1, self._row_of_place)
        return rows.view(len(rows), self.n_prompts, self._length, *rows.shape[2:])

    def attend(
        self, queries: Tensor, keys: Tensor, values: Tensor, bias: Tensor, scale: float
    ) -> Tensor:
        """Attend from all tokens to all tokens of the same prompt.

        Args:
            queries: ``(n, t, k * g, d)``, not scaled.
            keys: Padded, ``(n, p, S, k, d)``.
            values: Same shape as the keys.
            bias: What to add to the scores, or True where a token may look; a shape that
                broadcasts to ``(p, k * g, S, S)``.
            scale: Factor of the scores.

        Returns:
            ``(n, t, k * g * d)``.
        """
        is_grouped = queries.shape[2] != keys.shape[3]
        # One member at a time: the bias is the same for all, and as large as their scores.
        attended = [
            F.scaled_dot_product_attention(
                q.transpose(1, 2),
                k.transpose(1, 2),
                v.transpose(1, 2),
                attn_mask=bias,
                scale=scale,
                enable_gqa=is_grouped,
            ).transpose(1, 2)
            for q, k, v in zip(self.padded(queries), keys, values, strict=True)
        ]
        flat = torch.stack(attended).flatten(3).flatten(1, 2)
        return flat if self._places is None else flat.index_select(1, self._places)


def by_prompt(padded: Tensor) -> Tensor:
    """Turn ``(n, p, S, k, d)`` into ``(n * k, p, S, d)``, as ``PromptCache`` wants it."""
    return padded.permute(0, 3, 1, 2, 4).flatten(0, 1).contiguous()
