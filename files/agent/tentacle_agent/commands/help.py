# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""``help``: all verbs, or one verb's options, as text or JSON (docs/protocol/tentacle-services.md §5.1)."""

from __future__ import annotations

import json

from ..arguments import FORMAT_OPTION, Option, Values, describe
from . import Command, Context, elsewhere, find, list_all

NAME = "help"
ALIASES: tuple[str, ...] = ()
SUMMARY = "Prints this help text"
OPTIONS = (FORMAT_OPTION,)
PROGRAM = "Tentacle"


def execute(options: Values, context: Context) -> int:
    """Print the help for the verb named by ``topic``, or the list of verbs."""
    as_json = options.format() == "json"
    topic = options.get("topic")
    if topic is None:
        context.write(_all_as_json() if as_json else _all_as_text())
        return 0
    command = find(topic)
    if command is not None:
        context.write(_one_as_json(command) if as_json else _one_as_text(command))
        return 0
    sentence = elsewhere.answer_for(topic)
    if sentence:
        context.info(sentence)
        return 0
    context.error(f"Command '{topic}' is not supported")
    context.info(f"See '{PROGRAM} help'")
    return 2


def _common_options() -> tuple[Option, ...]:
    from ..__main__ import COMMON_OPTIONS

    return COMMON_OPTIONS


def _all_as_text() -> str:
    lines = [f"Usage: {PROGRAM} <command> [<options>]", "", "Where <command> is one of: ", ""]
    for command in list_all():
        lines += [f"  {command.NAME:<15}", f"   {command.SUMMARY}"]
    return "\n".join([*lines, "", "Or use <command> --help for more details.", ""])


def _one_as_text(command: Command) -> str:
    lines = [f"Usage: {PROGRAM} {command.NAME} [<options>]", "", "Where [<options>] is any of: ", ""]
    text = "\n".join([*lines, describe(command.OPTIONS)])
    return text + "\nOr one of the common options: \n\n" + describe(_common_options())


def _all_as_json() -> str:
    commands = [
        {"Name": command.NAME, "Description": command.SUMMARY, "Aliases": list(command.ALIASES)}
        for command in list_all()
    ]
    return json.dumps({"Commands": commands}, indent=2)


def _one_as_json(command: Command) -> str:
    return json.dumps(
        {
            "Name": command.NAME,
            "Description": command.SUMMARY,
            "Aliases": list(command.ALIASES),
            "Options": _named(command.OPTIONS),
            "CommonOptions": _named(_common_options()),
        },
        indent=2,
    )


def _named(options: tuple[Option, ...]) -> list[dict[str, str]]:
    return [{"Name": one.names[0], "Description": one.description} for one in options if not one.hidden]
