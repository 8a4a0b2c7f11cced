"""The policy: a base language model with its tokenizer; ``models.adapters`` puts adapters on it.

Encoder-decoder and decoder-only models come through the same functions; the only difference a
caller sees is ``Policy.is_encoder_decoder``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import torch
from peft import PeftModel
from torch import Tensor
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from emorl.config import PolicyConfig
from emorl.embedded import embedded_path
from emorl.errors import ModelError, PromptError
from emorl.huggingface import (
    LOAD_ERRORS,
    first_line,
    has_vocabulary,
    not_finite,
    some_of,
    untrained_weights,
)

_LEAST_PROMPT_TOKENS = 4

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(frozen=True, slots=True)
class Policy:
    """A base model, its tokenizer, and what is needed to read prompts and write text."""

    model: PreTrainedModel | PeftModel
    tokenizer: PreTrainedTokenizerBase
    config: PolicyConfig
    device: torch.device

    @property
    def base(self) -> PreTrainedModel:
        """The Hugging Face model, with adapter layers in place if there are any."""
        if isinstance(self.model, PeftModel):
            return cast(PreTrainedModel, self.model.get_base_model())
        return self.model

    @property
    def is_encoder_decoder(self) -> bool:
        """Whether prompts go into an encoder (T5) or before the response (Llama, Qwen)."""
        return bool(self.base.config.is_encoder_decoder)

    @property
    def eos_token_ids(self) -> tuple[int, ...]:
        """Tokens that end a response."""
        ids = self.base.generation_config.eos_token_id
        if ids is None:
            ids = self.base.config.eos_token_id
        if ids is None:
            ids = self.tokenizer.eos_token_id
        return tuple(ids) if isinstance(ids, list | tuple) else (int(ids),)

    @property
    def decoder_start_token_id(self) -> int:
        """Token before an encoder-decoder's response.

        Raises:
            ModelError: If the model names none.
        """
        token = self.base.generation_config.decoder_start_token_id
        if token is None:
            token = self.base.config.decoder_start_token_id
        if token is None:
            raise ModelError(
                f"{self.config.model!r} has no decoder_start_token_id in its config; "
                "an encoder-decoder model needs one."
            )
        return int(token)

    @property
    def pad_token_id(self) -> int:
        """Token that fills up short rows."""
        return int(self.tokenizer.pad_token_id)

    def encode(self, prompts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Turn prompts into tokens; a prompt is cut so that its text has ``max_prompt_tokens``.

        It is the prompt that is cut, not what the template has behind it.

        Returns:
            Token ids and attention mask, both ``(len(prompts), longest)`` on the device; padded
            on the right for an encoder, on the left for a decoder-only model.
        """
        batch = self.tokenizer(
            [self._fitted(prompt) for prompt in prompts],
            padding=True,
            padding_side="right" if self.is_encoder_decoder else "left",
            truncation=True,
            max_length=self.config.max_prompt_tokens,
            return_tensors="pt",
        )
        return batch["input_ids"].to(self.device), batch["attention_mask"].to(self.device)

    def decode(self, tokens: Sequence[int]) -> str:
        """Turn response tokens into text, without special tokens."""
        text = self.tokenizer.decode(list(tokens), skip_special_tokens=True)
        return str(text).strip()

    def check_prompt(self, prompt: str) -> str:
        """Return a prompt that a person typed, stripped.

        Raises:
            PromptError: If it is no text, blank, longer than the policy reads, or not Unicode.
        """
        check_unicode(prompt)
        stripped = prompt.strip()
        if not stripped:
            raise PromptError("The prompt is empty. Enter some text.")
        n_tokens = self._n_tokens(self._filled_in(stripped))
        if n_tokens > self.config.max_prompt_tokens:
            raise PromptError(
                f"The prompt has {n_tokens} tokens, this run's policy reads at most "
                f"{self.config.max_prompt_tokens} (policy.max_prompt_tokens). Shorten it."
            )
        return stripped

    def check_template(self) -> None:
        """Make sure that the template leaves room for a prompt.

        Raises:
            ModelError: If it does not; all prompts would read the same.
        """
        room = self.config.max_prompt_tokens - self._n_tokens(self._filled_in(""))
        if room < _LEAST_PROMPT_TOKENS:
            raise ModelError(
                f"policy.prompt_template leaves room for {room} of policy.max_prompt_tokens = "
                f"{self.config.max_prompt_tokens} tokens; a prompt needs at least "
                f"{_LEAST_PROMPT_TOKENS}. Shorten the template or raise max_prompt_tokens."
            )

    def _filled_in(self, prompt: str) -> str:
        return self.config.prompt_template.replace("{prompt}", prompt)

    def _n_tokens(self, text: str) -> int:
        return len(self.tokenizer(text, truncation=False, verbose=False)["input_ids"])

    def _fitted(self, prompt: str) -> str:
        """Return the filled-in template with the end of an overlong prompt cut off."""
        excess = self._n_tokens(self._filled_in(prompt)) - self.config.max_prompt_tokens
        while excess > 0 and prompt:
            own = self.tokenizer(prompt, add_special_tokens=False, verbose=False)["input_ids"]
            shorter = self.decode(own[: max(0, len(own) - excess)])
            # Decoding may not give the very same text back; each turn drops something anyway.
            prompt = shorter if len(shorter) < len(prompt) else prompt[:-1]
            excess = self._n_tokens(self._filled_in(prompt)) - self.config.max_prompt_tokens
        return self._filled_in(prompt)


def check_unicode(prompt: str) -> None:
    """Refuse what no tokenizer can read: bytes that were no UTF-8 where the text came from.

    Raises:
        PromptError: If the prompt is no text, or has lone surrogates.
    """
    # Types that the annotation forbids come in from scripts.
    if not isinstance(prompt, str):
        raise PromptError(f"A prompt must be a text, got {prompt!r}. Give it as a string.")
    try:
        prompt.encode()
    except UnicodeEncodeError as error:
        raise PromptError(
            f"The prompt is no Unicode text: character {error.start + 1} is "
            f"{prompt[error.start]!r}, half of one. Give it in UTF-8."
        ) from error


def load_policy(config: PolicyConfig) -> Policy:
    """Load a base model from a folder or the hub, frozen and in evaluation mode.

    Raises:
        ModelError: If the model is missing, of an unknown kind, incomplete, holds weights that
            are no finite numbers, or has no end-of-sequence token.
    """
    source = resolve_model(config.model)
    device = resolve_device(config.device)
    try:
        settings = AutoConfig.from_pretrained(source)
        kind: Any = AutoModelForSeq2SeqLM if settings.is_encoder_decoder else AutoModelForCausalLM
        model, info = kind.from_pretrained(
            source,
            dtype=_DTYPES[config.precision],
            use_safetensors=True,
            output_loading_info=True,
        )
        tokenizer = AutoTokenizer.from_pretrained(source)
    except LOAD_ERRORS as error:
        raise ModelError(
            f"policy.model: cannot load {config.model!r}: {first_line(error)} Expected a folder "
            "with config.json, model.safetensors and tokenizer files, or a hub name that can be "
            "reached or is cached."
        ) from error
    _check_complete(config.model, model, tokenizer, untrained_weights(info))
    if tokenizer.eos_token_id is None:
        raise ModelError(
            f"policy.model: the tokenizer of {config.model!r} has no end-of-sequence token; "
            "responses could never end. Set eos_token in its tokenizer_config.json."
        )
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    model.requires_grad_(requires_grad=False)
    model.to(device).eval()
    policy = Policy(model, tokenizer, config, device)
    policy.check_template()
    return policy


def resolve_model(name: str) -> str:
    """Return what Hugging Face loads: our own folder for ``embedded:...``, else the name."""
    return str(embedded_path(name)) if name.startswith("embedded:") else name


def resolve_device(name: str) -> torch.device:
    """Turn the setting ``policy.device`` into a device.

    Raises:
        ModelError: If it names a CUDA device that is not there.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ModelError(
            f"policy.device = {name!r}, but Torch sees {torch.cuda.device_count()} CUDA devices. "
            "Use 'cpu' or 'auto', or install a CUDA build of Torch (`emorl doctor`)."
        )
    return device


def _check_complete(name: str, model: Any, tokenizer: Any, lacking: list[str]) -> None:
    if lacking:
        raise ModelError(
            f"policy.model: {name!r} has no trained weights for {some_of(lacking)}. It is no "
            "language model, or a part of one; give a complete one."
        )
    spoiled = not_finite(model.named_parameters())
    if spoiled:
        raise ModelError(
            f"policy.model: every weight must be a finite number, but {name!r} holds NaN or "
            f"infinity in {some_of(spoiled)}. The file is damaged, or training diverged; copy or "
            "download the model again."
        )
    n_known = model.get_input_embeddings().num_embeddings
    if not has_vocabulary(tokenizer) or len(tokenizer) > n_known:
        raise ModelError(
            f"policy.model: the tokenizer of {name!r} has {len(tokenizer)} entries, the model "
            f"knows {n_known}: tokenizer files are missing or of another model. Copy the "
            "model's own tokenizer.json and tokenizer_config.json there."
        )


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Run a block with Torch's random numbers set by ``seed``; the caller's state comes back."""
    devices = [device.index or 0] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield
