"""Every command, option and help text; the work is in the other modules of this package.

Commands import what they need when they are called, so that ``emorl --help`` is immediate.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from emorl.version import __version__

Command = Callable[[argparse.Namespace], int]


def build_parser() -> argparse.ArgumentParser:
    """Return the parser; ``options.command(options)`` does the work and returns an exit code."""
    parser = argparse.ArgumentParser(
        prog="emorl",
        description="Train one adapter per objective, ensemble them, and see all weights.",
    )
    parser.add_argument("--version", action="version", version=f"emorl {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _demo(commands)
    _runs(commands)
    _atlas(commands)
    _results(commands)
    _dashboard(commands)
    _study(commands)
    _help(commands)
    return parser


_Commands = argparse._SubParsersAction  # argparse offers no public name


def _add(
    commands: _Commands[argparse.ArgumentParser], name: str, module: str, text: str
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=text, description=text)

    def command(options: argparse.Namespace) -> int:
        return int(getattr(import_module(f"emorl.commands.{module}"), name)(options))

    parser.set_defaults(command=command)
    parser.add_argument("--quiet", action="store_true", help="no progress bars, errors only")
    parser.add_argument(
        "--artifacts",
        type=Path,
        default=Path(os.environ.get("EMORL_ARTIFACTS", "artifacts")),
        metavar="DIR",
        help="folder of runs and studies; default: $EMORL_ARTIFACTS or ./artifacts",
    )
    return parser


def _demo(commands: _Commands[argparse.ArgumentParser]) -> None:
    demo = _add(commands, "demo", "demo", "run the embedded default and watch it in the dashboard")
    demo.add_argument("--seed", type=int, default=0, help="seed of the run; default: 0")
    demo.add_argument("--name", default="demo", help="name of the run; default: demo")
    demo.add_argument("--port", type=int, default=0, help="dashboard port; 0 takes a free one")
    demo.add_argument(
        "--no-serve", action="store_true", help="no dashboard; exit when the run is finished"
    )


def _runs(commands: _Commands[argparse.ArgumentParser]) -> None:
    for name, text in (
        ("run", "train all objectives, then search the weights; goes on where it stopped"),
        ("train", "train the adapters of a run, without a search"),
        ("search", "search the weights of a run whose adapters are trained"),
    ):
        parser = _add(commands, name, "run", text)
        parser.add_argument(
            "config", metavar="CONFIG.toml|RUN", help="settings file, or name of a stored run"
        )
        parser.add_argument("--name", default=None, help="name of the run; default: the file's")
        parser.add_argument("--seed", type=int, default=None, help="another seed than the file's")
        parser.add_argument(
            "--set",
            action="append",
            default=[],
            metavar="KEY=VALUE",
            dest="changes",
            help="change one setting, e.g. --set training.max_steps=20; may be repeated",
        )
        if name == "search":
            parser.add_argument(
                "--searcher",
                default=None,
                metavar="KIND",
                help="hierarchical (the paper's grid: a run's own search, the default), grid, "
                "random, bayesian, or your own as module:attribute: another search of a trained "
                "run, stored beside its own; or certified: branch and bound over the atlas, with "
                "a proof",
            )
            parser.add_argument(
                "--as",
                default=None,
                dest="search_name",
                metavar="NAME",
                help="what another search is called in the results; default: its kind",
            )
            parser.add_argument(
                "--seconds",
                type=_seconds,
                default=None,
                help="certified only: most time for the proof, and for the front; default: 120. "
                "Each begins anew, and only what is better replaces what is stored",
            )


def _atlas(commands: _Commands[argparse.ArgumentParser]) -> None:
    atlas = _add(commands, "atlas", "atlas", "find every response that any weights give")
    atlas.add_argument("run", metavar="RUN", help="name of a run whose adapters are trained")
    atlas.add_argument(
        "--prompt",
        action="append",
        default=[],
        metavar="TEXT",
        help="a prompt of your own instead of the run's; may be repeated",
    )
    atlas.add_argument(
        "--split",
        choices=("aggregation", "inference"),
        default=None,
        help="the run's prompts to map, where none of your own are given; default: aggregation",
    )
    atlas.add_argument(
        "--nodes",
        type=_positive,
        default=None,
        help="most prefixes to read of one prompt; default: no limit, or the run's without either;"
        " an open atlas begins anew, and goes if the new one covers as much",
    )
    atlas.add_argument(
        "--seconds",
        type=_seconds,
        default=None,
        help="most time for 32 prompts; default: no limit, or the run's without either; "
        "an open atlas begins anew: give more time than before",
    )
    atlas.add_argument(
        "--check",
        action="store_true",
        help="decode at the middle of every cell by the generic back end, and warn of differences",
    )


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be 1 or more, got {text}")
    return number


def _seconds(text: str) -> float:
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"must be above 0, got {text}")
    return number


def _results(commands: _Commands[argparse.ArgumentParser]) -> None:
    summary = _add(commands, "summary", "summary", "print what a run found")
    summary.add_argument("run", metavar="RUN", help="name of the run")
    summary.add_argument("--json", action="store_true", help="for scripts")
    export = _add(
        commands, "export", "export", "write a run's tables as files, or its report as a page"
    )
    export.usage = "emorl export [-h] [--quiet] [--artifacts DIR] [options] [report] RUN"
    export.add_argument(
        "what",
        metavar="[report] RUN",
        nargs="+",
        help="name of the run: all rows of its tables; after the word report: one HTML page that "
        "opens offline",
    )
    export.add_argument(
        "--format",
        choices=("csv", "parquet", "json"),
        default=None,
        help="kind of the tables' files; default: csv",
    )
    export.add_argument(
        "--out",
        type=Path,
        default=None,
        metavar="PATH",
        help="folder of the tables, default ./RUN-export; file of the report, default "
        "./RUN-report.html",
    )


def _dashboard(commands: _Commands[argparse.ArgumentParser]) -> None:
    dashboard = _add(commands, "dashboard", "dashboard", "open the dashboard")
    dashboard.add_argument("--port", type=int, default=0, help="port; default 0 takes a free one")
    dashboard.add_argument(
        "--address", default="127.0.0.1", help="address to listen on; only this machine by default"
    )
    dashboard.add_argument(
        "--read-only",
        action="store_true",
        help="nothing can be generated, sealed or rated in the dashboard",
    )


def _study(commands: _Commands[argparse.ArgumentParser]) -> None:
    study = _add(
        commands,
        "study",
        "study",
        "plan and run a blind study: create, import, seal, invite, status, open, close, unblind, "
        "export",
    )
    study.usage = "emorl study [-h] [--artifacts DIR] ACTION ...   (emorl study ACTION --help)"
    study.add_argument(
        "rest", nargs=argparse.REMAINDER, metavar="ACTION ...", help="what to do, and its options"
    )


def _help(commands: _Commands[argparse.ArgumentParser]) -> None:
    _add(commands, "doctor", "doctor", "show versions and devices, and what is missing")
    preset = _add(commands, "preset", "preset", "print a commented settings file")
    preset.add_argument(
        "name",
        metavar="NAME",
        help="embedded, pair-embedded, pair-t5-base, psych8k-t5-base or pair-causal",
    )
