# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The text of ``iptables-save``: finding our lines in it, and putting them into a stored one. Pure.

Ours are the lines of one chain and the jumps to it. Everything else of a text is kept byte for byte.
"""

from __future__ import annotations

import re
import shlex

_COUNTERS = re.compile(r"^\[\d+:\d+\] ")


def lines_of(text: str, chain: str) -> list[str]:
    """Our lines of the table ``filter``: first the jumps, then the chain, in their order."""
    jumps, rules = [], []
    for line in _filter_lines(text):
        bare = _COUNTERS.sub("", line)
        if bare.startswith(f"-A {chain} "):
            rules.append(bare)
        elif re.search(rf" -[jg] {re.escape(chain)}$", bare):
            jumps.append(bare)
    return jumps + rules


def with_lines(text: str, chain: str, lines: list[str]) -> str:
    """The text with our lines replaced: the jumps before the first rule of INPUT, the chain before the end."""
    kept = [line for line in text.splitlines(keepends=True) if not _is_ours(line, chain)]
    if not lines:
        return "".join(kept)
    if "*filter\n" not in kept:
        kept += ["*filter\n", ":INPUT ACCEPT [0:0]\n", ":FORWARD ACCEPT [0:0]\n", ":OUTPUT ACCEPT [0:0]\n", "COMMIT\n"]
    begin = kept.index("*filter\n")
    end = kept.index("COMMIT\n", begin)
    declared = begin + 1
    while declared < end and kept[declared].startswith((":", "#")):
        declared += 1
    jumps = [f"{line}\n" for line in lines if not line.startswith(f"-A {chain} ")]
    rules = [f"{line}\n" for line in lines if line.startswith(f"-A {chain} ")]
    first = next((at for at in range(declared, end) if "-A INPUT " in kept[at]), declared)
    return "".join(
        [*kept[:declared], f":{chain} - [0:0]\n", *kept[declared:first], *jumps, *kept[first:end], *rules, *kept[end:]]
    )


def script(before: list[str], after: list[str], chain: str) -> str:
    """What ``iptables-restore --noflush`` has to read to make the one of the other, in one step."""
    old_jumps = [line for line in before if not line.startswith(f"-A {chain} ")]
    new_jumps = [line for line in after if not line.startswith(f"-A {chain} ")]
    steps = ["*filter", f":{chain} - [0:0]"]  # declaring it empties it
    if old_jumps != new_jumps:
        steps += [re.sub(r"^-A", "-D", line) for line in old_jumps]
        steps += [re.sub(r"^-A INPUT ", "-I INPUT 1 ", line) for line in new_jumps]
    steps += [line for line in after if line.startswith(f"-A {chain} ")]
    if not after:
        steps.append(f"-X {chain}")
    return "\n".join([*steps, "COMMIT", ""])


def quoted(text: str) -> str:
    """A comment as iptables-save writes it."""
    return f'"{text}"' if shlex.quote(text) != text else text


def _filter_lines(text: str) -> list[str]:
    inside, found = False, []
    for line in text.splitlines():
        if line.startswith("*"):
            inside = line == "*filter"
        elif inside:
            found.append(line)
    return found


def _is_ours(line: str, chain: str) -> bool:
    bare = _COUNTERS.sub("", line.rstrip("\n"))
    return (
        bare.startswith((f"-A {chain} ", f":{chain} "))
        or re.search(rf"^-A \S+ .*-[jg] {re.escape(chain)}$", bare) is not None
    )
