"""What the loss reads of responses, against the model reading each of them alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from emorl.config import AdapterConfig, PolicyConfig
from emorl.models.adapters import add_adapter
from emorl.models.policy import Policy, load_policy
from emorl.training.reading import ResponseReader
from emorl.training.sampling import SampleRequest, sample_responses
from tests.support.policies import FAMILIES, PROMPTS
from tests.support.tiny_models import save_tiny_gemma2, save_tiny_granite

BASES: dict[str, Callable[[Path], Path]] = FAMILIES | {
    "scales its logits": save_tiny_granite,
    "caps its logits": save_tiny_gemma2,
}


def logits_alone(policy: Policy, prompt: str, response: torch.Tensor) -> torch.Tensor:
    """Return the model's own logits at every token of a response, nothing padded."""
    input_ids, _ = policy.encode([prompt])
    with torch.no_grad():
        if policy.is_encoder_decoder:
            first = torch.tensor([policy.decoder_start_token_id])
            written = torch.cat([first, response[:-1]]).unsqueeze(0)
            found = policy.model(input_ids=input_ids, decoder_input_ids=written).logits[0]
        else:
            whole = torch.cat([input_ids[0], response[:-1]]).unsqueeze(0)
            found = policy.model(input_ids=whole).logits[0, -len(response) :]
    assert isinstance(found, torch.Tensor)
    return found


@pytest.mark.parametrize("base", BASES)
def test_states_give_the_models_own_logits(base: str, tmp_path: Path) -> None:
    folder = BASES[base](tmp_path / "base")
    policy = load_policy(PolicyConfig(model=str(folder), max_new_tokens=12, device="cpu"))
    policy = add_adapter(policy, "letters", AdapterConfig(rank=4), seed=0)
    # In double precision: which tokens are sampled depends on the processor's rounding, and an
    # untrained model may amplify that of single precision beyond any bound at some of them.
    # Gemma 2 cannot: its softmax is single, where a double mask is infinite. Its cap bounds it.
    is_double = base != "caps its logits"
    if is_double:
        policy.model.double()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in policy.model.named_parameters():
            if "lora_B" in name:
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.3)
    request = SampleRequest("letters", PROMPTS, temperature=3.0, seed=1)
    [whole] = sample_responses(policy, [request], samples_per_prompt=3)
    lengths = torch.arange(len(whole.tokens)) % whole.tokens.shape[1] + 1
    mask = whole.mask & (torch.arange(whole.tokens.shape[1]) < lengths.unsqueeze(1))
    responses = replace(whole, mask=mask, tokens=whole.tokens.where(mask, policy.pad_token_id))
    reader = ResponseReader(policy)
    found = reader.head(reader.states([responses])[0]).split(mask.sum(1).tolist())
    for place, part in enumerate(found):
        tokens = responses.tokens[place][responses.mask[place]]
        expected = logits_alone(policy, PROMPTS[place // 3], tokens)
        rounding = (1e-9 if is_double else 1e-4) * float(expected.abs().max())
        torch.testing.assert_close(part, expected, atol=rounding, rtol=0)
