"""The fast back end for T5 and MT5: encoder, cross-attention, relative positions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from emorl.decoding.stacked.attention import (
    by_head,
    by_node,
    path_scores,
    path_values,
    prompt_scores,
    prompt_values,
    softmax,
)
from emorl.decoding.stacked.forward import StackedForward
from emorl.decoding.stacked.linear import Members, StackedLinear, StackedLinears
from emorl.decoding.stacked.node_table import Step
from emorl.decoding.stacked.norm import rms_normed
from emorl.decoding.stacked.prefill import PromptRows, by_prompt
from emorl.decoding.stacked.prompt_cache import Groups
from emorl.models.policy import Policy

CLASSES = ("T5ForConditionalGeneration", "MT5ForConditionalGeneration")
"""Model classes of this family."""


def reasons(policy: Policy) -> Iterator[str]:
    """Yield nothing: all bases of these classes can be read; see ``Family``."""
    del policy
    yield from ()


def load(policy: Policy, members: Members) -> StackedT5:
    """Return the back end; see ``Family``."""
    return StackedT5(policy, members)


class StackedT5(StackedForward):
    """T5-like encoder-decoders; see ``StackedForward``.

    A root is the decoder's start token, so it has a key of its own; the prompt's keys are those
    of the cross-attention.
    """

    def __init__(self, policy: Policy, members: Members) -> None:
        """Prepare decoding; see ``StackedForward``."""
        model: Any = policy.base
        config = model.config
        super().__init__(
            policy,
            members,
            n_layers=len(model.decoder.block),
            n_kv_heads=config.num_heads,
            d_head=config.d_kv,
        )
        self._start_token = policy.decoder_start_token_id
        # MT5 has no such setting and never scales.
        is_scaled = getattr(config, "scale_decoder_outputs", False)
        self._output_scale = config.d_model**-0.5 if is_scaled else 1.0
        # The decoder's layers, which are used at every step, are the first to ask for copies.
        self._decoder = [_DecoderLayer(block, members) for block in model.decoder.block]
        self._encoder = [_EncoderLayer(block, members) for block in model.encoder.block]
        self._encoder_norm = model.encoder.final_layer_norm
        self._decoder_norm = model.decoder.final_layer_norm
        self._encoder_positions = model.encoder.block[0].layer[0].SelfAttention
        self._decoder_positions = model.decoder.block[0].layer[0].SelfAttention

    @torch.no_grad()
    def start(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Read the prompts; see ``backend.Forward``."""
        nodes, _, prompts = self._start(attention_mask, root_length=1)
        rows = PromptRows(attention_mask)
        self._share_out(rows.lengths)
        encoded = self._encode(input_ids, attention_mask, rows)
        for layer in self._decoder:
            keys, values = (
                by_prompt(rows.padded(self._split(heads)))
                for heads in layer.cross_keys_values(encoded)
            )
            prompts.add_layer(keys, values)
        self._distance_bias = torch.empty(0, 0)
        tokens = torch.full_like(input_ids[:, 0], self._start_token)
        return self._read(tokens, nodes.roots())

    def _encode(self, input_ids: Tensor, attention_mask: Tensor, rows: PromptRows) -> Tensor:
        """Return the encoder's output, ``(n, t, d_model)``."""
        length = input_ids.shape[1]
        bias = self._encoder_positions.compute_bias(length, length)
        is_padding = (attention_mask == 0)[:, None, None]
        bias = bias.masked_fill(is_padding, torch.finfo(bias.dtype).min)
        hidden = self._embed(rows.of(input_ids)).unsqueeze(0)  # the same for all members
        for layer in self._encoder:
            queries, keys, values = map(self._split, layer.queries_keys_values(hidden))
            attended = rows.attend(
                queries, rows.padded(keys), rows.padded(values), bias, scale=1.0
            )
            hidden = hidden + layer.output(attended)
            hidden = hidden + layer.feed_forward(hidden)
        return rms_normed(hidden, self._encoder_norm)

    def _split(self, rows: Tensor) -> Tensor:
        """Split ``(n, m, heads * d)`` into heads: ``(n, m, heads, d)``."""
        return rows.view(*rows.shape[:2], self._n_kv_heads, self._d_head)

    def _through_layers(self, hidden: Tensor, step: Step, groups: Groups) -> Tensor:
        path_bias = self._path_bias(step)
        for index, layer in enumerate(self._decoder):
            queries, keys, values = map(self._split, layer.queries_keys_values(hidden))
            queries = by_head(queries, self._n_kv_heads)
            attended = torch.empty_like(queries)
            for part in self._paths.extend(index, keys, values, step, self._nodes.capacity):
                scores = path_scores(queries[part.rows], part.keys).add_(path_bias[part.rows])
                attended[part.rows] = path_values(softmax(scores), part.values)
            hidden = hidden + layer.output(by_node(attended, self.n_members))

            queries = by_head(self._split(layer.cross_queries(hidden)), self._n_kv_heads)
            keys, values = self._prompts.layer(index)
            cells = groups.to_cells(queries)
            weights = softmax(prompt_scores(cells, keys, groups, self._prompt_bias))
            attended = groups.to_nodes(prompt_values(weights, values, groups))
            hidden = hidden + layer.cross_output(by_node(attended, self.n_members))

            hidden = hidden + layer.feed_forward(hidden)
        hidden = rms_normed(hidden, self._decoder_norm)
        return hidden if self._output_scale == 1.0 else hidden * self._output_scale

    def _path_bias(self, step: Step) -> Tensor:
        """Return the bias of each distance and the padding's, ``(n * heads, 1 or m, 1, L)``."""
        if self._distance_bias.shape[1] < step.longest:
            self._distance_bias = self._bias_of_distances(2 * step.longest + 32)
        bias = self._distance_bias[:, -step.longest :].unsqueeze(1).unsqueeze(1)
        padding = self._bias_against(step.is_padding)
        biases = bias if padding is None else bias + padding
        return biases.repeat(self.n_members, 1, 1, 1)

    def _bias_of_distances(self, n: int) -> Tensor:
        """Return ``(heads, n)``; the last column is a token's bias to itself."""
        attention = self._decoder_positions
        table = attention.relative_attention_bias
        buckets = attention._relative_position_bucket(
            torch.arange(1 - n, 1, device=table.weight.device),
            bidirectional=False,
            num_buckets=attention.relative_attention_num_buckets,
            max_distance=attention.relative_attention_max_distance,
        )
        biases: Tensor = table(buckets)
        return biases.T.contiguous()


class _FeedForward:
    def __init__(self, layer: Any, members: Members) -> None:
        dense = layer.DenseReluDense
        self._norm = layer.layer_norm
        self._activation = dense.act
        is_gated = hasattr(dense, "wi_0")
        inputs = [dense.wi_0, dense.wi_1] if is_gated else [dense.wi]
        self._inputs = StackedLinears(inputs, members)
        self._output = StackedLinear(dense.wo, members)

    def __call__(self, hidden: Tensor) -> Tensor:
        first, *gates = self._inputs(rms_normed(hidden, self._norm))
        inner = self._activation(first)
        return self._output(inner * gates[0] if gates else inner)


class _SelfAttention:
    def __init__(self, layer: Any, members: Members) -> None:
        attention = layer.SelfAttention
        self._norm = layer.layer_norm
        self._inputs = StackedLinears([attention.q, attention.k, attention.v], members)
        self.output = StackedLinear(attention.o, members)

    def queries_keys_values(self, hidden: Tensor) -> list[Tensor]:
        return self._inputs(rms_normed(hidden, self._norm))


class _EncoderLayer(_SelfAttention):
    def __init__(self, block: Any, members: Members) -> None:
        super().__init__(block.layer[0], members)
        self.feed_forward = _FeedForward(block.layer[1], members)


class _DecoderLayer(_SelfAttention):
    def __init__(self, block: Any, members: Members) -> None:
        super().__init__(block.layer[0], members)
        attention = block.layer[1].EncDecAttention
        self._cross_norm = block.layer[1].layer_norm
        self._cross_queries = StackedLinear(attention.q, members)
        self.cross_keys_values = StackedLinears([attention.k, attention.v], members)
        self.cross_output = StackedLinear(attention.o, members)
        self.feed_forward = _FeedForward(block.layer[2], members)

    def cross_queries(self, hidden: Tensor) -> Tensor:
        return self._cross_queries(rms_normed(hidden, self._cross_norm))
