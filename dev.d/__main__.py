"""`./dev VERB [ARGUMENT...]`: see `./dev` alone for the verbs."""

from __future__ import annotations

import importlib
import pathlib
import signal
import sys
from types import ModuleType

import machine
import steps

# In the order of the list; `test` runs those that say so.
VERBS = (
    "demo",
    "test",
    "lint",
    "types",
    "unit",
    "vectors",
    "e2e",
    "faults",
    "sanity",
    "docs",
    "galaxy",
    "integration",
    "cloud",
    "molecule",
    "fuzz",
    "chaos",
    "soak",
    "bench",
    "env",
    "lock",
    "clean",
)


def main(arguments: list[str]) -> int:
    signal.signal(signal.SIGTERM, lambda *_unused: sys.exit(143))  # so that what runs is ended as by Ctrl-C
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(_list_of_verbs())
        return 0
    verb, *rest = arguments
    if verb not in VERBS:
        print(f"dev: there is no verb {verb!r}.\n\n{_list_of_verbs()}", file=sys.stderr)
        return 2
    module = load(verb)
    if rest and rest[0] in ("-h", "--help"):
        print(f"./dev {verb}: {(module.__doc__ or '').strip()}")
        return 0
    try:
        return int(module.main(rest)) if hasattr(module, "main") else _run_parts(module, rest)
    except (machine.MissingPrerequisiteError, steps.Failed) as reason:
        print(f"dev: {reason}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ndev: interrupted; what ran has been ended", file=sys.stderr)
        return 130


def load(verb: str) -> ModuleType:
    return importlib.import_module(f"verbs.{verb}")


def _run_parts(module: ModuleType, arguments: list[str]) -> int:
    outcomes = steps.run(module.parts(arguments), quiet=False)
    if len(outcomes) > 1:
        steps.table(outcomes)
    return int(any(outcome.word == "failed" for outcome in outcomes))


def _list_of_verbs() -> str:
    lines = ["./dev VERB [ARGUMENT...]      (./dev VERB --help says more)", ""]
    for verb in VERBS:
        summary = (load(verb).__doc__ or "").strip().partition("\n")[0]
        lines.append(f"  {verb:12} {summary}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.path.insert(0, str(pathlib.Path(__file__).parent))
    sys.exit(main(sys.argv[1:]))
