"""``emorl doctor``: what is here, what is missing, what to do."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import tempfile
from importlib import metadata, util
from pathlib import Path

from emorl.embedded import EMBEDDED_NAMES, embedded_path
from emorl.errors import StoreError
from emorl.runs.folder import list_runs
from emorl.version import __version__

_PACKAGES = (
    "torch",
    "transformers",
    "peft",
    "safetensors",
    "tokenizers",
    "scipy",
    "duckdb",
    "pyarrow",
    "pandas",
    "streamlit",
    "plotly",
)


def doctor(options: argparse.Namespace) -> int:
    """Print the findings; 0 if everything that a run needs is here, else 1."""
    problems: list[str] = []
    print(f"emorl {__version__}, Python {platform.python_version()}, {platform.system()}")
    for name in _PACKAGES:
        try:
            print(f"  {name:<13} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            problems.append(f"{name} is not installed: `pip install -c constraints.txt -e .`")
    _print_devices()
    problems += _embedded()
    problems += _artifacts(options)
    for problem in problems:
        print(f"missing: {problem}")
    print("Everything a run needs is here." if not problems else f"{len(problems)} to mend.")
    return 1 if problems else 0


def _print_devices() -> None:
    if util.find_spec("torch") is None:
        return
    import torch

    print(f"  processors    {os.cpu_count()}, Torch uses {torch.get_num_threads()} threads")
    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
        print(f"  CUDA          {', '.join(names)}")
    else:
        print("  CUDA          none; runs use the CPU (policy.device = 'auto')")
    from emorl.decoding.stacked.families import families

    fast = ", ".join(name.split("For")[0] for name in families())
    print(f"  ensembles     fast (stacked) for {fast}; generic for other models")


def _embedded() -> list[str]:
    missing = [
        name
        for name in EMBEDDED_NAMES
        if not (embedded_path(f"embedded:{name}") / "model.safetensors").is_file()
    ]
    if not missing:
        print(f"  embedded      {', '.join(EMBEDDED_NAMES)}")
        return []
    return [
        f"the embedded models {', '.join(missing)}: install the project anew, or rebuild them "
        "with `python -m emorl.embedded.build`"
    ]


def _artifacts(options: argparse.Namespace) -> list[str]:
    folder = options.artifacts
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            free = shutil.disk_usage(folder).free / 2**30
    except OSError as error:
        return [f"a writable artifacts folder: {error}; choose one with --artifacts DIR"]
    print(f"  artifacts     {folder} ({free:.1f} GiB free)")
    return _runs(folder)


def _runs(artifacts: Path) -> list[str]:
    """Print which back end each run took, and why; return what is damaged."""
    problems = []
    for run in list_runs(artifacts):
        try:
            status = run.read_status()
        except StoreError as error:
            problems.append(f"a run's status: {error}")
            continue
        if status is not None and status.backend:
            print(f"  {run.run_id:<13} was decoded by the back end {status.backend}")
    return problems
