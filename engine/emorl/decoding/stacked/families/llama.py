"""The fast back end for Llama, Mistral, Qwen2 and Qwen3: rotary positions, grouped queries."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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
from emorl.decoding.stacked.path_cache import PathPart
from emorl.decoding.stacked.prefill import PromptRows, by_prompt
from emorl.decoding.stacked.prompt_cache import Groups
from emorl.models.policy import Policy

CLASSES = ("LlamaForCausalLM", "MistralForCausalLM", "Qwen2ForCausalLM", "Qwen3ForCausalLM")
"""Model classes of this family."""

# The others change their frequencies with the length of the text.
_ROPE_TYPES = ("default", "linear", "llama3", "yarn")


def reasons(policy: Policy) -> Iterator[str]:
    """Yield why this policy's base cannot be read; see ``Family``."""
    base: Any = policy.base
    config = base.config
    window = getattr(config, "sliding_window", None)
    layer_types = getattr(config, "layer_types", None) or ["sliding_attention"]
    context = policy.config.max_prompt_tokens + policy.config.max_new_tokens
    if window is not None and "sliding_attention" in layer_types and window < context:
        yield f"the sliding window of {window} tokens is shorter than the context of {context}"
    rotary = base.model.rotary_emb
    if rotary.rope_type not in _ROPE_TYPES:
        yield f"rotary positions of type {rotary.rope_type!r} depend on the length of the text"
    elif 2 * len(rotary.inv_freq) != base.model.layers[0].self_attn.head_dim:
        yield "the rotary positions cover a part of each head only"


def load(policy: Policy, members: Members) -> StackedLlama:
    """Return the back end; see ``Family``."""
    return StackedLlama(policy, members)


class StackedLlama(StackedForward):
    """Llama-like decoder-only models; see ``StackedForward``.

    A root is a whole prompt: its keys are with the prompts, and its path is empty.
    """

    def __init__(self, policy: Policy, members: Members) -> None:
        """Prepare decoding; see ``StackedForward``."""
        causal: Any = policy.base
        model = causal.model
        attention = model.layers[0].self_attn
        super().__init__(
            policy,
            members,
            n_layers=len(model.layers),
            n_kv_heads=model.config.num_key_value_heads,
            d_head=attention.head_dim,
        )
        self._layers = [_Layer(layer, members) for layer in model.layers]
        self._norm = model.norm
        self._rotary = model.rotary_emb
        self._scale = float(attention.scaling)

    @torch.no_grad()
    def start(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Read the prompts, padded on the left; see ``backend.Forward``."""
        _, _, prompts = self._start(attention_mask, root_length=0)
        rows = PromptRows(attention_mask)
        self._prompt_lengths = rows.lengths
        self._share_out(rows.lengths)
        rotation = self._rotation(rows.of(attention_mask.cumsum(dim=1) - 1))
        may_see = _may_see(attention_mask)
        hidden = self._embed(rows.of(input_ids)).unsqueeze(0)  # the same for all members
        for layer in self._layers:
            queries, keys, values = layer.queries_keys_values(hidden, self._d_head, *rotation)
            keys, values = rows.padded(keys), rows.padded(values)
            prompts.add_layer(by_prompt(keys), by_prompt(values))
            attended = rows.attend(queries, keys, values, may_see, scale=self._scale)
            if layer is self._layers[-1]:
                # Only the prompt's last token is asked what comes next.
                hidden, attended = hidden[:, rows.last], attended[:, rows.last]
                self._share_out(torch.ones_like(rows.lengths))
            hidden = layer.after_attention(hidden, attended)
        return rms_normed(hidden, self._norm)

    def _through_layers(self, hidden: Tensor, step: Step, groups: Groups) -> Tensor:
        positions = self._prompt_lengths[step.prompts] + step.lengths - 1
        rotation = self._rotation(positions)
        path_bias = self._bias_against(step.is_padding)
        for index, layer in enumerate(self._layers):
            queries, keys, values = layer.queries_keys_values(hidden, self._d_head, *rotation)
            paths = self._paths.extend(index, keys, values, step, self._nodes.capacity)
            attended = self._attend(index, queries, paths, path_bias, groups)
            hidden = layer.after_attention(hidden, by_node(attended, self.n_members))
        return rms_normed(hidden, self._norm)

    def _attend(
        self,
        index: int,
        rows: Tensor,
        paths: Iterable[PathPart],
        path_bias: Tensor | None,
        groups: Groups,
    ) -> Tensor:
        """Attend to prompt and path with one softmax over both."""
        queries = by_head(rows * self._scale, self._n_kv_heads)
        prompt_keys, prompt_vals = self._prompts.layer(index)
        in_cells = prompt_scores(groups.to_cells(queries), prompt_keys, groups, self._prompt_bias)
        on_prompt = groups.to_nodes(in_cells)
        of_prompt, attended = torch.empty_like(on_prompt), torch.empty_like(queries)
        for part in paths:
            on_path = path_scores(queries[part.rows], part.keys)
            if path_bias is not None:
                on_path.add_(path_bias)
            scores = torch.cat((on_prompt[part.rows], on_path), dim=-1)
            sizes = [on_prompt.shape[-1], on_path.shape[-1]]
            of_prompt[part.rows], of_path = torch.split(softmax(scores), sizes, dim=-1)
            attended[part.rows] = path_values(of_path, part.values)
        from_prompt = prompt_values(groups.to_cells(of_prompt), prompt_vals, groups)
        return attended.add_(groups.to_nodes(from_prompt))

    def _rotation(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Return cosines and signed sines, ``(m, 1, d)`` each, for ``positions`` ``(m,)``."""
        like = torch.empty(0, dtype=self._dtype, device=positions.device)
        cosines, sines = self._rotary(like, positions.unsqueeze(0))
        signed = sines[0].clone()
        signed[:, : self._d_head // 2].neg_()
        return cosines[0].unsqueeze(1), signed.unsqueeze(1)


class _Layer:
    def __init__(self, layer: Any, members: Members) -> None:
        attention = layer.self_attn
        self._norm = layer.input_layernorm
        self._inputs = StackedLinears(
            [attention.q_proj, attention.k_proj, attention.v_proj], members
        )
        # Qwen3 has them, the others do not.
        self._query_norm = getattr(attention, "q_norm", None)
        self._key_norm = getattr(attention, "k_norm", None)
        self._output = StackedLinear(attention.o_proj, members)
        self._mlp_norm = layer.post_attention_layernorm
        self._mlp_inputs = StackedLinears([layer.mlp.gate_proj, layer.mlp.up_proj], members)
        self._mlp_output = StackedLinear(layer.mlp.down_proj, members)
        self._activation = layer.mlp.act_fn

    def queries_keys_values(
        self, hidden: Tensor, d_head: int, cosines: Tensor, signed_sines: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return ``(n, m, heads, d)`` each; queries and keys rotated, queries not scaled."""
        queries, keys, values = (
            rows.view(*rows.shape[:2], -1, d_head)
            for rows in self._inputs(rms_normed(hidden, self._norm))
        )
        if self._query_norm is not None and self._key_norm is not None:
            queries = rms_normed(queries, self._query_norm)
            keys = rms_normed(keys, self._key_norm)
        both = torch.cat((queries, keys), dim=2)
        swapped = both.roll(d_head // 2, dims=-1)
        rotated = torch.addcmul(both * cosines, swapped, signed_sines)
        n_queries, n_keys = queries.shape[2], keys.shape[2]
        queries, keys = torch.split(rotated, [n_queries, n_keys], dim=2)
        return queries.contiguous(), keys, values

    def after_attention(self, hidden: Tensor, attended: Tensor) -> Tensor:
        hidden = hidden + self._output(attended)
        gate, up = self._mlp_inputs(rms_normed(hidden, self._mlp_norm))
        return hidden + self._mlp_output(self._activation(gate) * up)


def _may_see(attention_mask: Tensor) -> Tensor:
    """Return ``(n_prompts, 1, S, S)``: True where a token reads another, or is padding itself."""
    length = attention_mask.shape[1]
    ones = torch.ones(length, length, dtype=torch.bool, device=attention_mask.device)
    causal = ones.tril() & attention_mask.bool()[:, None, None]
    # A row without any True would be not a number, also as another token's value.
    own = torch.eye(length, dtype=torch.bool, device=attention_mask.device)
    return causal | own
