"""The fast back ends against the Hugging Face forward on whole prefixes, one adapter at a time.

Every tree below is checked node by node: ``Tree.check`` compares all states with the oracle, which
reads prompt and prefix without any cache, padding or batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from peft import LoraConfig
from torch import Tensor
from transformers import (
    MistralConfig,
    MistralForCausalLM,
    MT5Config,
    MT5ForConditionalGeneration,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from emorl.config import AdapterConfig, PolicyConfig
from emorl.decoding.backend import Forward
from emorl.decoding.forward import BASE
from emorl.decoding.stacked import (
    buckets,
    node_table,
    stacked_forward,
    unsupported_reason,
)
from emorl.decoding.stacked.path_cache import PathCache
from emorl.decoding.tree import PrefixTree
from emorl.errors import ModelError
from emorl.models.adapters import add_adapter
from emorl.models.policy import Policy, load_policy
from tests.support.policies import PROMPTS
from tests.support.tiny_models import (
    EOS_ID,
    PAD_ID,
    save_tiny_gpt2,
    save_tiny_llama,
    save_tiny_t5,
    tiny_tokenizer,
    vocabulary_size,
)

pytestmark = pytest.mark.slow

MEMBERS = ("small", BASE, "large", "queries")
"""Ranks 2, none, 5, and 3 on the queries only."""

_DECODER_SETTINGS: dict[str, Any] = {
    "vocab_size": vocabulary_size(),
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    "pad_token_id": PAD_ID,
    "bos_token_id": EOS_ID,
    "eos_token_id": EOS_ID,
}


def _save(folder: Path, model_class: Any, config: Any, pieces: tuple[str, ...]) -> Path:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = model_class(config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith(".bias") or "norm" in name:
                parameter.add_(torch.linspace(-0.3, 0.3, len(parameter)))
    model.save_pretrained(folder)
    tiny_tokenizer(pieces).save_pretrained(folder)
    return folder


def _save_mt5(folder: Path) -> Path:
    config = MT5Config(
        vocab_size=vocabulary_size(),
        d_model=32,
        d_kv=8,
        d_ff=64,
        num_layers=2,
        num_heads=4,
        pad_token_id=PAD_ID,
        eos_token_id=EOS_ID,
        decoder_start_token_id=PAD_ID,
    )
    return _save(folder, MT5ForConditionalGeneration, config, ("$A", "</s>"))


def _save_mistral(folder: Path, **settings: Any) -> Path:
    config = MistralConfig(**(_DECODER_SETTINGS | settings))
    return _save(folder, MistralForCausalLM, config, ("$A",))


FAMILIES: dict[str, Callable[[Path], Path]] = {
    "t5-gated-tied": save_tiny_t5,
    "t5-relu-untied": lambda folder: save_tiny_t5(
        folder, feed_forward_proj="relu", tie_word_embeddings=False
    ),
    "mt5": _save_mt5,
    "llama": save_tiny_llama,
    "qwen2": lambda folder: _save(
        folder, Qwen2ForCausalLM, Qwen2Config(**_DECODER_SETTINGS), ("$A",)
    ),
    "qwen3": lambda folder: _save(
        folder, Qwen3ForCausalLM, Qwen3Config(**_DECODER_SETTINGS, head_dim=16), ("$A",)
    ),
    "mistral": _save_mistral,
}


def policy_of(folder: Path, precision: Literal["float32", "bfloat16"] = "float32") -> Policy:
    """Return the saved base with random adapters that differ in rank, scaling and place."""
    policy = load_policy(
        PolicyConfig(model=str(folder), max_new_tokens=16, device="cpu", precision=precision)
    )
    policy = add_adapter(policy, "small", AdapterConfig(rank=2, alpha=4), seed=1)
    policy = add_adapter(policy, "large", AdapterConfig(rank=5, alpha=3), seed=2)
    queries = LoraConfig(r=3, use_rslora=True, target_modules=["q", "q_proj"])
    model: Any = policy.model
    model.add_adapter("queries", queries)
    policy.model.eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in policy.model.named_parameters():
            if "lora_" in name:
                size = 0.3 if "lora_B" in name else parameter.shape[-1] ** -0.5
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * size)
    return policy


@pytest.fixture(scope="module", params=FAMILIES)
def policy(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Policy:
    folder = tmp_path_factory.mktemp("policy") / request.param
    return policy_of(FAMILIES[request.param](folder))


def oracle(policy: Policy, prompt: str, tokens: Sequence[int]) -> Tensor:
    """Return the head's inputs after each of ``tokens``, and before the first one.

    The active adapter reads them all at once: shape ``(1 + len(tokens), d_model)``.
    """
    input_ids, attention_mask = policy.encode([prompt])
    new = torch.tensor([list(tokens)], dtype=torch.long)
    base: Any = policy.base
    inputs: dict[str, Tensor] = {"input_ids": torch.cat([input_ids, new], dim=1)}
    if policy.is_encoder_decoder:
        start = torch.tensor([[policy.decoder_start_token_id]])
        inputs = {"input_ids": input_ids, "attention_mask": attention_mask}
        inputs["decoder_input_ids"] = torch.cat([start, new], dim=1)
    captured: list[Tensor] = []
    handle = base.get_output_embeddings().register_forward_pre_hook(
        lambda _head, arguments: captured.append(arguments[0][0])
    )
    with torch.no_grad():
        base(**inputs, use_cache=False)
    handle.remove()
    return captured[0][-1 - len(tokens) :]


Prefix = tuple[str, tuple[int, ...]]


@dataclass
class Tree:
    """A back end, and the prefix and state of every node that it has read."""

    policy: Policy
    members: tuple[str, ...] = MEMBERS
    forward: Forward = field(init=False)
    prefixes: list[Prefix] = field(default_factory=list)
    to_check: list[tuple[Tensor, list[Prefix]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.forward = stacked_forward(self.policy, self.members)

    def start(self, prompts: Sequence[str] = PROMPTS) -> None:
        states = self.forward.start(*self.policy.encode(prompts))
        self.prefixes = [(prompt, ()) for prompt in prompts]
        self.to_check.append((states, list(self.prefixes)))

    def grow(self, parents: Sequence[int], *, is_checked: bool = True) -> list[int]:
        """Grow each parent by a token of its own; return the new nodes."""
        first = len(self.prefixes)
        tokens = [10 + (7 * (first + place)) % 200 for place in range(len(parents))]
        states = self.forward.grow(torch.tensor(parents), torch.tensor(tokens))
        new = []
        for parent, token in zip(parents, tokens, strict=True):
            prompt, before = self.prefixes[parent]
            new.append((prompt, (*before, token)))
        self.prefixes += new
        if is_checked:
            self.to_check.append((states, new))
        return list(range(first, first + len(parents)))

    def check(self) -> None:
        """Compare all states so far with the oracle."""
        prefixes = {prefix for _, some in self.to_check for prefix in some}
        model: Any = self.policy.model
        for index, member in enumerate(self.members):
            if member != BASE:
                model.set_adapter(member)
            with model.disable_adapter() if member == BASE else nullcontext():
                expected = self._expected(prefixes)
            for states, some in self.to_check:
                theirs = torch.stack([expected[prefix] for prefix in some])
                assert states.shape == (len(self.members), *theirs.shape)
                error = (states[index] - theirs).norm(dim=-1) / theirs.norm(dim=-1)
                assert error.max() < 1e-4

    def _expected(self, prefixes: set[Prefix]) -> dict[Prefix, Tensor]:
        """Ask the oracle about the leaves only: it tells about what leads there as well."""
        expected: dict[Prefix, Tensor] = {}
        for prompt, tokens in sorted(prefixes, key=lambda prefix: -len(prefix[1])):
            if (prompt, tokens) not in expected:
                for length, state in enumerate(oracle(self.policy, prompt, tokens)):
                    expected[prompt, tokens[:length]] = state
        return expected


@pytest.fixture(params=["as on a CPU", "as on CUDA"])
def _both_devices(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    is_cuda = request.param == "as on CUDA"
    monkeypatch.setattr(buckets, "pay_on", lambda _device: is_cuda)
    if not is_cuda:
        # As in long paths (one row at a time), and in long runs of steady calls.
        monkeypatch.setattr(PathCache, "_rows_at_once", lambda *_: 1)
        monkeypatch.setattr(node_table, "_STEADY_CALLS", 2)


def test_calls_are_filled_up_to_few_sizes_by_at_most_a_half() -> None:
    sizes = [buckets.bucket_size(n) for n in range(1, 1001)]
    assert sorted(set(sizes))[:8] == [1, 2, 3, 4, 6, 8, 12, 16]
    assert len(set(sizes)) == 20
    assert all(n <= size <= 1.5 * n for n, size in enumerate(sizes, start=1))


@pytest.mark.usefixtures("_both_devices")
def test_texts_side_by_side_have_the_states_of_each_adapter_alone(policy: Policy) -> None:
    tree = Tree(policy)
    tree.start()
    nodes = list(range(len(PROMPTS)))
    for _ in range(4):
        nodes = tree.grow(nodes)
    tree.check()


def test_texts_side_by_side_need_no_memory_beside_the_cache(
    policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("emorl.decoding.stacked.forward._MOST_KEPT_BYTES", 0)
    tree = Tree(policy)
    tree.start()
    nodes = list(range(len(PROMPTS)))
    for _ in range(4):
        nodes = tree.grow(nodes)
    tree.check()


@pytest.mark.usefixtures("_both_devices")
def test_branches_of_any_depth_in_one_call_have_the_states_of_whole_prefixes(
    policy: Policy,
) -> None:
    tree = Tree(policy)
    tree.start()
    level = tree.grow([3, 0, 0, 1, 2, 2, 2])
    deeper = tree.grow([level[1], level[1], level[0], level[6]])
    mixed = tree.grow([deeper[3], 1, level[2], deeper[0], 1])
    for _ in range(3):
        mixed = tree.grow(mixed)  # rows of unequal length that only go on
    tree.grow(mixed[::-1])
    tree.grow([0, deeper[1], level[4], 2])  # early nodes, late
    tree.check()


@pytest.mark.usefixtures("_both_devices")
def test_a_part_of_the_prompts_can_go_on_alone_and_the_others_come_back(policy: Policy) -> None:
    tree = Tree(policy)
    tree.start()
    first = tree.grow([0, 1, 2, 3])
    alone = tree.grow([first[2], first[2]])
    alone = tree.grow(alone)
    tree.grow([alone[1]])
    tree.grow([first[0], alone[0], first[3], first[1]])
    tree.check()


@pytest.mark.usefixtures("_both_devices")
def test_after_keep_the_held_nodes_grow_right_and_the_others_are_refused(policy: Policy) -> None:
    tree = Tree(policy)
    tree.start()
    first = tree.grow([0, 0, 1, 2, 3])
    second = tree.grow([first[0], first[1], first[3]])
    tree.forward.keep(torch.tensor([second[1]]))
    for forgotten in (first[0], first[2], second[0], second[2]):
        with pytest.raises(ValueError, match="not held"):
            tree.forward.grow(torch.tensor([0, forgotten]), torch.tensor([9, 9]))
    with pytest.raises(ValueError, match="not held"):
        tree.forward.grow(torch.tensor([len(tree.prefixes)]), torch.tensor([9]))
    # The freed slots are taken again by these.
    third = tree.grow([second[1], first[1], 0, 3, 2, 1])
    tree.grow([second[1], *third, first[1]])
    tree.check()


def test_after_keep_the_same_rows_may_go_on(policy: Policy) -> None:
    tree = Tree(policy)
    tree.start()
    nodes = tree.grow([0, 1, 2, 3])
    tree.grow([0, 0])
    nodes = tree.grow(nodes)
    tree.forward.keep(torch.tensor(nodes))
    nodes = tree.grow(nodes)
    tree.forward.keep(torch.tensor([], dtype=torch.long))
    tree.grow([2, 0])
    tree.check()


def test_trees_larger_and_deeper_than_the_first_allocation_are_read_right(policy: Policy) -> None:
    tree = Tree(policy, members=("large", "small"))
    tree.start(PROMPTS[:2])
    wide = tree.grow([0, 1] * 50, is_checked=False)
    nodes = [wide[-1], wide[3]]
    for _ in range(52):
        nodes = tree.grow(nodes, is_checked=False)
    tree.grow(nodes)
    tree.grow([nodes[1], 0, wide[70]])
    tree.check()


def test_little_memory_has_few_prefixes_read_again(tmp_path: Path) -> None:
    # Some prefixes are led to by one weight vector, others by many: both are held together.
    policy = policy_of(FAMILIES["t5-gated-tied"](tmp_path))
    with torch.no_grad():
        for name, parameter in policy.model.named_parameters():
            if "lora_B" in name:
                parameter.mul_(0.35)
    weights = np.random.default_rng(3).dirichlet(np.full(3, 0.7), size=24)

    def decoded(memory_mib: float) -> tuple[Any, int]:
        forward = stacked_forward(policy, ("small", "large", "queries"))
        tree = PrefixTree(
            forward,
            *policy.encode(PROMPTS[:4]),
            max_new_tokens=12,
            eos_token_ids=[EOS_ID],
            memory_mib=memory_mib,
        )
        texts = tree.decode(weights)
        assert tree.decode(weights) == texts
        return texts, tree.n_forwards

    expected, n_prefixes = decoded(64)
    for memory_mib in (0.1, 0.06):
        texts, n_read = decoded(memory_mib)
        assert texts == expected
        assert n_prefixes < n_read < 4 * n_prefixes


def test_a_second_start_forgets_the_first_tree(policy: Policy) -> None:
    tree = Tree(policy)
    tree.start()
    tree.grow([0, 1, 2, 3])
    tree.start(PROMPTS[1:3])
    tree.grow([0, 1, 1])
    tree.check()


def test_growing_nothing_gives_no_states(policy: Policy) -> None:
    tree = Tree(policy, members=(BASE,))
    tree.start()
    none = torch.tensor([], dtype=torch.long)
    width = policy.base.config.hidden_size
    assert tree.forward.grow(none, none).shape == (1, 0, width)


def test_the_memory_of_a_node_is_a_key_and_a_value_per_member_layer_and_head(
    policy: Policy,
) -> None:
    # 4 members, 2 layers, key and value, 4 bytes each; T5: 4 heads of 8, Qwen3: 2 of 16, others
    # 2 of 8.
    kind = policy.base.config.model_type
    per_layer = {"t5": 32, "mt5": 32, "qwen3": 32}.get(kind, 16)
    assert stacked_forward(policy, MEMBERS).bytes_per_node == 4 * 2 * 2 * 4 * per_layer


def test_a_base_without_adapters_is_read_by_itself(tmp_path: Path) -> None:
    folder = save_tiny_llama(tmp_path)
    policy = load_policy(PolicyConfig(model=str(folder), max_new_tokens=4, device="cpu"))
    input_ids, attention_mask = policy.encode(PROMPTS)
    states = stacked_forward(policy, (BASE,)).start(input_ids, attention_mask)
    with torch.no_grad():
        positions = (attention_mask.cumsum(-1) - 1).clamp(min=0)
        output: Any = policy.base(
            input_ids=input_ids, attention_mask=attention_mask, position_ids=positions
        )
        scores = policy.base.get_output_embeddings()(states[0])  # type: ignore[no-untyped-call]
    torch.testing.assert_close(scores, output.logits[:, -1], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("family", ["t5-gated-tied", "qwen3"])
def test_bfloat16_states_are_those_of_float32_to_its_precision(
    family: str, tmp_path: Path
) -> None:
    folder = FAMILIES[family](tmp_path)
    states: list[Tensor] = []
    precisions: tuple[Literal["float32", "bfloat16"], ...] = ("float32", "bfloat16")
    for precision in precisions:
        policy = policy_of(folder, precision=precision)
        forward = stacked_forward(policy, MEMBERS)
        forward.start(*policy.encode(PROMPTS))
        forward.grow(torch.tensor([0, 0, 1, 3]), torch.tensor([9, 8, 7, 6]))
        states.append(forward.grow(torch.tensor([4, 2, 5]), torch.tensor([9, 8, 7])))
    assert states[1].dtype == torch.bfloat16
    # bfloat16 has 8 bits: errors of 0.4 % in each of some tens of operations.
    assert (states[1].float() - states[0]).norm() < 0.1 * states[0].norm()


def test_the_head_of_the_back_end_scores_as_the_models_own(policy: Policy) -> None:
    head: Any = policy.base.get_output_embeddings()  # type: ignore[no-untyped-call]
    forward = stacked_forward(policy, MEMBERS)
    for n_rows in (2, 300):  # few rows and many: with the weight laid out anew, and as it is
        states = torch.randn(n_rows, 32, generator=torch.Generator().manual_seed(n_rows))
        torch.testing.assert_close(forward.head(states), head(states), rtol=1e-4, atol=1e-5)


def test_a_changed_base_weight_is_read_by_the_next_decoding(tmp_path: Path) -> None:
    policy = policy_of(save_tiny_llama(tmp_path))
    for _ in range(2):
        tree = Tree(policy)
        tree.start()
        tree.check()
        with torch.no_grad():
            for parameter in policy.base.parameters():
                parameter.mul_(1.1)


def _with_lora(policy: Policy, **settings: Any) -> Policy:
    targets = settings.pop("target_modules", ["q_proj"])
    model: Any = policy.model
    model.add_adapter("odd", LoraConfig(r=2, target_modules=targets, **settings))
    policy.model.eval()
    return policy


def _bfloat16_head(policy: Policy) -> Policy:
    policy.base.get_output_embeddings().to(torch.bfloat16)  # type: ignore[no-untyped-call]
    return policy


def _merged(policy: Policy) -> Policy:
    model: Any = policy.model
    model.set_adapter("small")
    model.merge_adapter()
    return policy


def _training(policy: Policy) -> Policy:
    policy.model.train()
    return policy


UNSUPPORTED: dict[str, Callable[[Policy], Policy]] = {
    "variant of LoRA": lambda policy: _with_lora(policy, use_dora=True),
    "changes weights of the base": lambda policy: _with_lora(policy, bias="lora_only"),
    "embeddings or the head": lambda policy: _with_lora(policy, target_modules=["lm_head"]),
    "the embeddings or the head": lambda policy: _with_lora(
        policy, target_modules=["embed_tokens"]
    ),
    "is merged into": _merged,
    "several precisions": _bfloat16_head,
    "neither float32 nor bfloat16": lambda policy: Policy(
        policy.model.half(), policy.tokenizer, policy.config, policy.device
    ),
    "training mode": _training,
}


@pytest.mark.parametrize("reason", UNSUPPORTED)
def test_what_cannot_be_read_exactly_is_refused_in_plain_words(
    reason: str, tmp_path: Path
) -> None:
    policy = policy_of(save_tiny_llama(tmp_path))
    assert unsupported_reason(policy, MEMBERS) is None
    policy = UNSUPPORTED[reason](policy)
    members = ("small", "odd") if "odd" in policy.model.peft_config else ("small",)
    assert reason in str(unsupported_reason(policy, members))
    with pytest.raises(ModelError, match="generic back end"):
        stacked_forward(policy, members)


def test_a_missing_adapter_is_a_reason(policy: Policy) -> None:
    assert "no adapter 'other'" in str(unsupported_reason(policy, ("small", "other")))


def test_an_unknown_architecture_is_a_reason(tmp_path: Path) -> None:
    policy = load_policy(PolicyConfig(model=str(save_tiny_gpt2(tmp_path)), device="cpu"))
    assert "GPT2LMHeadModel" in str(unsupported_reason(policy, (BASE,)))


def test_a_sliding_window_is_a_reason_only_if_it_is_shorter_than_the_context(
    tmp_path: Path,
) -> None:
    for window, is_supported in ((40, False), (400, True)):
        folder = _save_mistral(tmp_path / str(window), sliding_window=window)
        settings = PolicyConfig(
            model=str(folder), max_prompt_tokens=32, max_new_tokens=16, device="cpu"
        )
        reason = unsupported_reason(load_policy(settings), (BASE,))
        assert (reason is None) is is_supported
        assert is_supported or "40 tokens is shorter than the context of 48" in str(reason)


def test_positions_that_change_with_the_length_are_a_reason(tmp_path: Path) -> None:
    rope = {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 10000.0}
    folder = save_tiny_llama(tmp_path, rope_parameters=rope)
    policy = load_policy(PolicyConfig(model=str(folder), device="cpu"))
    assert "depend on the length" in str(unsupported_reason(policy, (BASE,)))
