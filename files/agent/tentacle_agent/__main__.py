# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The command line: from the arguments to an exit code.

0 done, 1 a failure that was foreseen, 2 an unknown verb or none, 42 a right is missing, 43 a library is missing,
100 anything else (docs/protocol/tentacle-services.md §5.1). Errors go to standard error, everything else to
standard output.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from module_utils._instance.errors import InstanceError

from . import arguments
from .commands import Command, Context, find

SUCCESS = 0
CONTROLLED_FAILURE = 1
UNKNOWN_COMMAND = 2
SECURITY_FAILURE = 42
LIBRARY_FAILURE = 43
GENERAL_FAILURE = 100
INTERRUPTED = 130

COMMON_OPTIONS = (
    arguments.option("nologo", "DEPRECATED: there is no title to suppress.", hidden=True),
    arguments.option("noconsolelogging", "DEPRECATED: there is nothing to suppress.", hidden=True),
    arguments.option("help", "Show detailed help for this command"),
)
# The original's host reads these before the command does; there is one host here, so they change nothing.
_HOST_OPTIONS = (
    arguments.option("console", "Don't attempt to run as a service", hidden=True),
    arguments.option("noninteractive", "Nobody sits at the keyboard", hidden=True),
    arguments.option("monitorMutex=", "Windows only", hidden=True),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the verb that ``argv`` (without the program's name) asks for; returns the exit code and never raises."""
    words = list(sys.argv[1:] if argv is None else argv)
    context = Context(arguments=tuple(words))
    try:
        return _run(words, context)
    except (arguments.UsageError, InstanceError) as error:
        context.error(str(error))
        return SECURITY_FAILURE if isinstance(error.__cause__, PermissionError) else CONTROLLED_FAILURE
    except BrokenPipeError:
        # Whoever read our output has gone; the interpreter must not complain about that at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return GENERAL_FAILURE
    except KeyboardInterrupt:
        return INTERRUPTED
    except PermissionError as error:
        context.error(
            f"A right is missing: {error}. Run the command as root, or as the account that owns the instance."
        )
        return SECURITY_FAILURE
    except ImportError as error:
        context.error(f"A library could not be loaded: {error}. Check that Python and its libraries fit each other.")
        return LIBRARY_FAILURE
    except Exception:
        import traceback

        context.error("=" * 79 + "\n" + traceback.format_exc().rstrip())
        return GENERAL_FAILURE


def _run(words: list[str], context: Context) -> int:
    common, words = arguments.parse(COMMON_OPTIONS, words)
    verb = words.pop(0).lstrip("-/") if words else ""
    if not verb:
        return _help(common, words, context) if common.has("help") else _help(common, words, context) or UNKNOWN_COMMAND
    command = find(verb)
    if command is None:
        return _answer_stranger(verb, context)
    if common.has("help"):
        return _help(common, [command.NAME, *words], context)
    if command.NAME != "agent":
        _unused, words = arguments.parse(_HOST_OPTIONS, words)
    return _execute(command, words, context)


def _execute(command: Command, words: list[str], context: Context) -> int:
    if command.NAME == "help":
        return _help(arguments.Values(), words, context)
    values, rest = arguments.parse(command.OPTIONS, words)
    positional = getattr(command, "POSITIONAL", None)
    if positional and rest and not rest[0].startswith("-"):
        values.given.append((positional, rest.pop(0)))
    if rest:
        raise arguments.UsageError(f"Unrecognized command line arguments: {' '.join(rest)}")
    if command.NAME != "agent" and any(known.key == "instance" for known in command.OPTIONS):
        from . import diagnostics

        diagnostics.record(command, values, context)
    return command.execute(values, context)


def _help(common: arguments.Values, words: list[str], context: Context) -> int:
    """Help for a verb or for all; what else stands on the command line does not matter then."""
    from .commands import help as help_command

    values, rest = arguments.parse(help_command.OPTIONS, words)
    values.given.extend(common.given)
    values.given.extend(("topic", word) for word in rest[:1] if word[:1].isalpha())
    return help_command.execute(values, context)


def _answer_stranger(verb: str, context: Context) -> int:
    from .commands import elsewhere

    sentence = elsewhere.answer_for(verb)
    if sentence:
        context.error(sentence)
        return CONTROLLED_FAILURE
    context.error(f"Command '{verb}' is not supported")
    context.info("See 'Tentacle help'")
    return UNKNOWN_COMMAND


if __name__ == "__main__":
    sys.exit(main())
