from __future__ import annotations

from emorl.config.files import PRESETS, preset
from emorl.config.kinds import REWARDS
from emorl_dashboard.frames.introduction import introduction, own_prompt_note


def test_each_objective_is_introduced_with_what_it_rewards() -> None:
    rewards = {
        "warmth": REWARDS.config(
            "callable", target="mine:warmth", description="kind words, *really*"
        ),
        "brevity": REWARDS.config("callable", target="mine:brevity"),
    }
    told = introduction(("warmth", "brevity"), rewards, ("A", "B"))
    assert r"each objective: A **warmth** (kind words, \*really\*), B **brevity**. The" in told


def test_every_preset_says_what_its_objectives_reward() -> None:
    for name in PRESETS:
        config = preset(name)
        told = introduction(config.objectives, config.rewards, ("", "", ""))
        assert all(f"**{objective}** (how " in told for objective in config.objectives), name


def test_a_description_is_no_part_of_what_makes_settings_the_same() -> None:
    one = REWARDS.config("sequence_classifier", model="x", description="one")
    assert one == REWARDS.config("sequence_classifier", model="x", description="another")
    assert one != REWARDS.config("sequence_classifier", model="y", description="one")


def test_own_prompts_to_the_embedded_policy_are_told_its_topics() -> None:
    told = own_prompt_note("embedded:base")
    assert "smoking" in told
    assert "screens" in told
    assert own_prompt_note("t5-base") == ""
