# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole collection at work on three hosts that are loopback addresses of this machine.

A real ansible-playbook run installs an agent on each host, gives it an identity, lets it trust a server, starts it and
verifies it as that server would; then a web site is pushed through the agents and started. Afterwards a stranger's
certificate has to be refused everywhere, and a second run of the same playbook must find nothing to change.

Everything is below .dev/demo and ended at the end, unless --keep is given.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import fcntl
import json
import os
import pathlib
import signal
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence

import archive
import playbook
import shutdown
import surroundings
from surroundings import PLACE, DemoError, Host

STATE = PLACE / "running.json"
FETCH_SECONDS = 10


def main(arguments: Sequence[str] | None = None) -> int:
    """0: everything that is shown has held; 1: something has not; 2: it could not be started; 130: interrupted."""
    parser = argparse.ArgumentParser(
        prog="./dev demo", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    either = parser.add_mutually_exclusive_group()
    either.add_argument("--keep", action="store_true", help="leave agents and web sites running")
    either.add_argument("--stop", action="store_true", help="end what --keep left running")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_unused: sys.exit(143))
    PLACE.mkdir(parents=True, exist_ok=True)
    try:
        with _alone():
            return _stop() if options.stop else _demonstrate(options.keep)
    except DemoError as error:
        print(f"\ndemo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ndemo: interrupted; everything it started is ended", file=sys.stderr)
        return 130


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Raises DemoError while another demo of this checkout is at work."""
    with (PLACE / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DemoError("Another demo of this checkout is at work; wait for its end.") from None
        yield


def _stop() -> int:
    hosts = _recorded()
    ended = shutdown.end(hosts)
    STATE.unlink(missing_ok=True)
    print(f"Ended: {', '.join(ended)}." if ended else "No demo is running.")
    return 0


def _recorded() -> list[Host]:
    try:
        return [Host(**fields) for fields in json.loads(STATE.read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError):
        return []


def _demonstrate(keep: bool) -> int:
    since = time.monotonic()
    surroundings.check_prerequisites()
    if shutdown.end(_recorded()):
        print("The demo that was still running is ended first.")
    hosts, remarks = surroundings.choose_hosts()
    for remark in remarks:
        print(f"Note: {remark}")
    package = surroundings.prepare(hosts)
    STATE.write_text(json.dumps([dataclasses.asdict(host) for host in hosts]), encoding="utf-8")
    kept = False
    try:
        table, thumbprint = _show_everything(hosts, package)
        print(f"\n{table}\n\nAll of it held, in {time.monotonic() - since:.0f} s.")
        kept = keep
    finally:
        if not kept:
            shutdown.end(hosts)
            STATE.unlink(missing_ok=True)
    _say_what_next(hosts[0], thumbprint, kept)
    return 0


def _show_everything(hosts: list[Host], package: pathlib.Path) -> tuple[str, str]:
    """The demo itself; returns the table and the first host's thumbprint. Raises DemoError for what does not hold."""
    logs = PLACE / "logs"
    print(f"\nRoll-out and deployment: ansible-playbook demo/site.yml   (its output: {_short(logs / 'first-run.log')})")
    first = playbook.run("site.yml", logs / "first-run.log")
    print("\nThe deployed sites, fetched from here")
    for host in hosts:
        print(f"  {_fetch(host, package)}")
    print("\nA stranger's certificate, which no agent was told to trust")
    stranger = playbook.run("stranger.yml", logs / "stranger.log")
    print("\nThe same playbook again: nothing may change")
    second = playbook.run("site.yml", logs / "second-run.log")
    restless = {host: count for host, count in second.changed.items() if count}
    if restless:
        told = ", ".join(f"{host} changed={count}" for host, count in restless.items())
        raise DemoError(f"The second run changed something: {told}. See {logs / 'second-run.log'}")
    print("  " + "   ".join(f"{host} changed=0" for host in second.changed))
    return _table(hosts, first, stranger), first.facts[hosts[0].name]["verify"]["thumbprint"]


def _fetch(host: Host, package: pathlib.Path) -> str:
    """Get the page and its style, and look whether they are those of this package on this host."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    url, version = surroundings.site_url(host), archive.version(package.read_bytes())
    try:
        with opener.open(url, timeout=FETCH_SECONDS) as answer:
            page = answer.read()
        with opener.open(f"{url}style.css", timeout=FETCH_SECONDS) as answer:
            style = answer.read()
    except OSError as error:
        raise DemoError(f"{url} cannot be fetched: {error}") from None
    expected = (archive.SOURCE / "site" / "style.css").read_bytes()
    if f"<dd>{host.name}</dd>".encode() not in page or f"<dd>{version}</dd>".encode() not in page or style != expected:
        raise DemoError(f"{url} does not show version {version} of the site for {host.name}.")
    return f"{url:<26} {len(page):,} bytes, names {host.name} and version {version}"


def _table(hosts: list[Host], first: playbook.Run, stranger: playbook.Run) -> str:
    rows = [("host", "port", "thumbprint", "TLS", "cause", "a stranger gets")]
    for host in hosts:
        verified = first.facts[host.name]["verify"]
        refused = stranger.facts[host.name]["stranger"]["cause"]
        facts = [str(verified[name]) for name in ("thumbprint", "tls_version", "cause")]
        rows.append((f"{host.name} {host.address}", str(host.port), *facts, refused))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(field.ljust(width) for field, width in zip(row, widths)).rstrip() for row in rows]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def _say_what_next(host: Host, thumbprint: str, kept: bool) -> None:
    ansible = (
        f"ANSIBLE_CONFIG={_short(PLACE / 'ansible.cfg')} {_short(pathlib.Path(sys.executable).parent / 'ansible')}"
    )
    identity = "client_cert='{{ identities }}/server.pem'"
    if kept:
        print("\nEverything goes on. Have a look:")
    else:
        print("\nEverything is ended. With './dev demo --keep' it goes on, and then you can have a look:")
    print(f"""
the site in a browser, and the agent's own page (self-signed, so the browser asks first)
  {surroundings.site_url(host)}
  https://{host.address}:{host.port}/

verify all agents, or run a script through one, as the server that they trust
  {ansible} web -m tentacle_verify -a "port={{{{ tentacle_listen_port }}}} {identity}"
  {ansible} {host.name} -m tentacle_script -a "port={host.port} thumbprint={thumbprint} {identity} script=uptime"

an agent's own command line, and its log
  {_short(host.executable)} show-configuration --config {_short(host.configuration)}
  {_short(host.home / "Logs" / "OctopusTentacle.txt")}

end it all
  ./dev demo --stop""")


def _short(path: pathlib.Path) -> str:
    """The path as one would type it here, quoted where the shell wants it."""
    text = os.path.relpath(path) if path.is_relative_to(pathlib.Path.cwd()) else str(path)
    return f"'{text}'" if " " in text else text


if __name__ == "__main__":
    sys.exit(main())
