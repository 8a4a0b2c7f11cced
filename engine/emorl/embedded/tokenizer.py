"""The byte-level tokenizer that the embedded base and its scorers share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

VOCABULARY_SIZE = 1500
MAX_TOKENS = 256
SPECIAL_TOKENS = {
    "pad_token": "<pad>",
    "eos_token": "</s>",
    "unk_token": "<unk>",
    "cls_token": "<cls>",
    "sep_token": "<sep>",
}
PAD_ID, EOS_ID, UNK_ID, CLS_ID, SEP_ID = range(len(SPECIAL_TOKENS))

Template = Literal["encoder", "pair", "language_model"]

_TEMPLATES: dict[Template, tuple[str, str]] = {
    "encoder": ("$A </s>", "$A </s> $B:1 </s>:1"),
    "pair": ("<cls> $A <sep>", "<cls> $A <sep> $B:1 <sep>:1"),
    # Both ends belong to the text: a sentence that breaks off is as improbable as a broken one.
    "language_model": ("</s> $A </s>", "</s> $A </s> $B:1 </s>:1"),
}


def train_vocabulary(texts: Iterable[str]) -> Tokenizer:
    """Train the byte-level vocabulary; the same texts give the same one."""
    tokenizer = Tokenizer(models.BPE(unk_token=SPECIAL_TOKENS["unk_token"]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY_SIZE,
        special_tokens=list(SPECIAL_TOKENS.values()),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def tokenizer_for(vocabulary: Tokenizer, template: Template) -> PreTrainedTokenizerFast:
    """Return the shared vocabulary with the special tokens that one kind of model reads."""
    tokenizer = Tokenizer.from_str(vocabulary.to_str())
    single, pair = _TEMPLATES[template]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=single,
        pair=pair,
        special_tokens=[(name, place) for place, name in enumerate(SPECIAL_TOKENS.values())],
    )
    inputs = ["input_ids", "attention_mask"]
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        clean_up_tokenization_spaces=False,
        model_max_length=MAX_TOKENS,
        model_input_names=[*inputs, "token_type_ids"] if template == "pair" else inputs,
        **SPECIAL_TOKENS,
    )
