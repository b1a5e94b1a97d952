# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""One conclusion from the same check made in several places: on the agent's host, on the controller, on a server.

What is good on the host itself and bad from outside lies between; what is bad everywhere lies on the host; what differs
by name and by address lies in the name. The input are the results of single checks, as the module returned them.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from .._client.endpoint import DEFAULT_PORT, Endpoint
from .._client.errors import ClientError
from .causes import CAUSES
from .result import Result

_NEEDED = ("cause", "evidence", "host", "port", "position", "thumbprint", "addresses")
_ON_WAY = ("filtered", "refused", "reset", "network")  # a connection that never came to TLS


@dataclass(frozen=True)
class View:
    """One check: what came of it, and where it was made."""

    name: str
    facts: dict[str, Any]

    @property
    def cause(self) -> str:
        return str(self.facts["cause"])

    @property
    def ok(self) -> bool:
        return self.cause == "ok"

    @property
    def inside(self) -> bool:
        return self.facts["position"] in ("loopback", "own_address")

    @property
    def by_name(self) -> bool:
        return self.family is None

    @property
    def family(self) -> int | None:
        """The IP version of the address that was asked for; None for a name."""
        try:
            return ipaddress.ip_address(str(self.facts["host"]).partition("%")[0]).version
        except ValueError:
            return None

    def summary(self) -> dict[str, Any]:
        keys = ("position", "host", "port", "address", "cause", "evidence", "thumbprint", "seconds")
        return {"vantage": self.name, **{key: self.facts.get(key) for key in keys}}


def compare(checks: Sequence[Any]) -> Result:
    """The conclusion, with the checks as `vantages`. ClientError (invalid_input) for what are no results of checks."""
    views = _views(checks)
    first = views[0].facts
    result = Result(Endpoint(str(first["host"]), int(first["port"] or DEFAULT_PORT)))
    result.facts.vantages = [view.summary() for view in views]
    for name in result.steps:
        result.skip(name, "Other checks were compared.")
    failure = next((found for found in (rule(views) for rule in _RULES) if found is not None), None)
    if failure is None:
        result.evidence = f"Good from {_names([view for view in views if view.ok])}, with the same certificate."
    else:
        result.blame(failure)
    for view in views:
        if not view.ok and (view.cause != result.cause or result.ok):
            result.find(view.cause, f"From {view.name}: {view.facts['evidence']}")
    return result


def _views(checks: Sequence[Any]) -> list[View]:
    flat: list[Any] = []
    for check in checks:
        flat += check["results"] if isinstance(check, dict) and isinstance(check.get("results"), list) else [check]
    made = [check for check in flat if not (isinstance(check, dict) and check.get("skipped"))]
    for number, check in enumerate(made):
        if not isinstance(check, dict) or not set(_NEEDED) <= set(check) or check["cause"] not in CAUSES:
            raise ClientError(
                "invalid_input", f"compare: entry {number} is not the result of a check by tentacle_verify."
            )
    if len(made) < 2:
        raise ClientError("invalid_input", f"compare: two checks at least are expected, {len(made)} were given.")
    return [View(_name(check), check) for check in made]


def _name(check: dict[str, Any]) -> str:
    where = {"loopback": "the host's loopback", "own_address": "the host itself", "proxy": "the proxy"}
    place = check.get("vantage") or where.get(check["position"] or "", "outside")
    return f"{place} ({check['host']}:{check['port']})"


def _names(views: list[View]) -> str:
    return ", ".join(view.name for view in views)


# The rules, in the order in which they are tried. Each gives a failure, or None where it does not apply.


def _by_name(views: list[View]) -> ClientError | None:
    """Good by the address, bad by the name, from the same side."""
    for inside in (False, True):
        side = [view for view in views if view.inside == inside]
        good = [view for view in side if not view.by_name and view.ok]
        bad = [view for view in side if view.by_name and not view.ok]
        if good and bad and not any(view.by_name and view.ok for view in side):
            return ClientError(
                "dns",
                f"By its IP address the agent is good ({_names(good)}), by the name not: {bad[0].facts['evidence']}",
                also=("wrong_address",),
            )
    return None


def _by_family(views: list[View]) -> ClientError | None:
    """Good by one family's address, bad by the other's, from the same side."""
    for inside in (False, True):
        side = [view for view in views if view.inside == inside and view.family is not None]
        good = {view.family for view in side if view.ok}
        bad = [view for view in side if not view.ok and view.cause in _ON_WAY and view.family not in good]
        if len(good) == 1 and bad:
            return ClientError(
                "address_family",
                f"IPv{next(iter(good))} works, IPv{bad[0].family} does not: {bad[0].facts['evidence']}",
                also=(bad[0].cause,),
            )
    return None


def _by_certificate(views: list[View]) -> ClientError | None:
    """Another certificate outside than on the host itself."""
    inside = [view for view in views if view.inside and view.facts["thumbprint"]]
    own = {view.facts["thumbprint"] for view in inside}
    others = [view for view in views if not view.inside and view.facts["thumbprint"] and own]
    others = [view for view in others if view.facts["thumbprint"] not in own]
    if not others:
        return None
    other = others[0]
    shown = f"On the host itself the certificate {', '.join(sorted(own))} is seen, from {other.name} another one, "
    shown += f"{other.facts['thumbprint']}. {other.facts['evidence'] if not other.ok else ''}".rstrip()
    if other.cause in ("tls_offloaded", "tls_intercepted"):
        word = other.cause
    elif other.facts.get("client_certificate_requested") is False:
        word = "tls_offloaded" if (other.facts.get("certificate") or {}).get("self_signed") else "tls_intercepted"
    else:
        word = "wrong_address"
    also = tuple(name for name in ("tls_intercepted", "tls_offloaded", "wrong_address") if name != word)
    return ClientError(word, shown, also=also)


def _between(views: list[View]) -> ClientError | None:
    """Good somewhere, and not even connected from elsewhere."""
    good = [view for view in views if view.ok]
    bad = [view for view in views if view.cause in _ON_WAY and not view.inside]
    if not good or not bad:
        return None
    failed, where = bad[0], _names(good)
    own_address = any(view.facts["position"] != "loopback" for view in good)
    evidence = f"Good from {where}; from {_names(bad)} it is not: {failed.facts['evidence']}"
    if failed.cause == "refused":
        if not own_address:
            return ClientError("wrong_address", f"{evidence} Perhaps the agent listens to loopback only.",
                               also=("filtered", "refused"))  # fmt: skip
        return ClientError("filtered", f"{evidence} A firewall refuses in the agent's place.", also=("wrong_address",))
    also = {"network": ("filtered",), "filtered": ("wrong_address",)}.get(failed.cause, ())
    return ClientError(failed.cause, f"{evidence} The agent is good, so it is something between.", also=also)


def _own_address(views: list[View]) -> ClientError | None:
    """Good by loopback, and refused at the host's own address, on the host."""
    good = [view for view in views if view.ok and view.facts["position"] == "loopback"]
    bad = [view for view in views if not view.ok and view.facts["position"] == "own_address" and view.cause in _ON_WAY]
    bad += [view for view in views if view.facts["position"] == "own_address" and view.cause == "not_listening"]
    if not good or not bad:
        return None
    return ClientError(
        "wrong_address",
        f"Good from {_names(good)}, and not at the host's own address: {bad[0].facts['evidence']} "
        "The agent listens to loopback only.",
        also=("filtered",),
    )


def _on_host(views: list[View]) -> ClientError | None:
    """Bad on the host itself: that comes first. Loopback does not count where the agent is good at another address."""
    good = any(view.ok for view in views)
    bad = [view for view in views if view.inside and not view.ok]
    bad = [view for view in bad if not (good and view.facts["position"] == "loopback")]
    if not bad:
        return None
    # The word that a look at the host found is more telling than what the connection alone could say.
    worst = next((view for view in bad if view.cause not in (*_ON_WAY, "unknown")), bad[0])
    word = worst.cause
    if word == "refused" and all(view.cause == "refused" for view in views if view.inside):
        word = "not_listening"
    everywhere = "everywhere, also " if not good else ""
    return ClientError(
        word,
        f"Bad {everywhere}on the host itself ({worst.name}): {worst.facts['evidence']}",
        also=tuple(other for other in worst.facts.get("alternatives") or () if other not in (word, "filtered")),
    )


def _elsewhere(views: list[View]) -> ClientError | None:
    """Whatever is left outside: one cause, or none that fits all."""
    bad = [view for view in views if not view.ok and not view.inside]
    if not bad:
        return None
    if len({view.cause for view in bad}) == 1:
        good = [view for view in views if view.ok]
        begin = f"Good from {_names(good)}; " if good else ""
        also = tuple(bad[0].facts.get("alternatives") or ())
        return ClientError(bad[0].cause, f"{begin}from {_names(bad)}: {bad[0].facts['evidence']}", also=also)
    evidence = " ".join(f"From {view.name}: {view.facts['evidence']}" for view in bad)
    return ClientError("unknown", evidence, also=tuple(dict.fromkeys(view.cause for view in bad)))


_Rule = Callable[[list[View]], Optional[ClientError]]
_RULES: tuple[_Rule, ...] = (
    _by_name,
    _by_family,
    _by_certificate,
    _own_address,
    _between,
    _on_host,
    _elsewhere,
)
