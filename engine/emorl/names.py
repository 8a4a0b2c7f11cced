"""What runs and objectives may be called."""

from __future__ import annotations

import re

from emorl.errors import ConfigError

_RESERVED_LINES = (
    # Columns of the results and of the frames made of them.
    "search round point weights direction direction_key kind means standard_errors mean_reward",
    "seconds stored_at base best ensemble adapter step split prompt prompt_index reference text",
    "response n_tokens scores system decoding sample_index n_distinct n_responses n_prompts",
    "order mean_reward_se weights_text until_round distinct_responses",
    "cell branch prefix tokens vectors children vertices corners area radius is_open covered",
    "dropped n_members n_cells n_branches is_complete node_forwards upper_bound gap regions",
    "regret searched_weights position is_supported",
    # Attributes of the module that holds a layer's adapters by name, and PEFT's own name.
    "default add_module apply bfloat16 buffers call_super_init children clear compile cpu cuda",
    "double dump_patches eval extra_repr float forward get_buffer get_extra_state get_parameter",
    "get_submodule half ipu items keys load_state_dict modules mtia named_buffers",
    "named_children named_modules named_parameters parameters pop register_backward_hook",
    "register_buffer register_forward_hook register_forward_pre_hook",
    "register_full_backward_hook register_full_backward_pre_hook",
    "register_load_state_dict_post_hook register_load_state_dict_pre_hook register_module",
    "register_parameter register_state_dict_post_hook register_state_dict_pre_hook",
    "requires_grad_ set_extra_state set_submodule share_memory state_dict to to_empty train",
    "training type update values xpu zero_grad t_destination smart_apply",
)

RESERVED_NAMES = frozenset(name for line in _RESERVED_LINES for name in line.split())
"""Names that an objective cannot have, in lower case; a test compares them with Torch's."""


def check_name(key: str, value: str) -> None:
    """Refuse what cannot name a folder, a column and a URL parameter; ``key`` is the setting.

    Raises:
        ConfigError: If the name is of the wrong form.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", value):
        raise ConfigError(
            f"{key}: a name has 1 to 64 letters, digits, '_', '-' or '.', and starts with a "
            f"letter or digit; got {value!r}."
        )


def check_objective(name: str) -> None:
    """Refuse what cannot name an objective, and so the adapter of one.

    Raises:
        ConfigError: If the name is of the wrong form or reserved.
    """
    # An objective names an adapter inside the model too: no dots there, and nothing that PEFT
    # could take for a part of its own "lora_" prefix.
    is_text = isinstance(name, str)  # names of adapters come in from scripts
    if not is_text or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{1,31}", name) or name in "lora_":
        raise ConfigError(
            "objectives: a name has 2 to 32 letters, digits or '_', starts with a letter and is "
            f"no part of 'lora_'; got {name!r}.{_without_dots(name)}"
        )
    if name.lower() in RESERVED_NAMES or name.startswith("w_") or name.endswith("_se"):
        raise ConfigError(
            f"objectives: {name!r} is a name that the results or the adapters' layers use "
            "themselves; choose another one."
        )


def _without_dots(name: object) -> str:
    if not isinstance(name, str) or "." not in name:
        return ""
    return (
        " An adapter is a module of the model, and dots part the names of modules: call it "
        f"{name.replace('.', '_')!r}."
    )
