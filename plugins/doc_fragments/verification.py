# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  fail_on:
    description:
      - Causes that fail the task. A word that is named here fails it wherever it is found, as RV(cause) or among
        RV(findings), so also where something else is to be repaired first, or where everything works for now.
      - V(any) stands for every RV(cause) but V(ok), and leaves the findings of an agent that works alone.
        C([any, slow]) takes both.
      - Any other cause but V(ok) gives a warning. With an empty list the task never fails for what it found.
      - A wrong option always fails the task.
    type: list
    elements: str
    default: [any]
  retries:
    description:
      - How often to check again while RV(cause) is not V(ok), to wait for an agent that is starting.
      - The whole takes at most (O(retries) + 1) x (number of steps x O(timeout)) + O(retries) x O(delay) seconds.
    type: int
    default: 0
  delay:
    description: Seconds between two checks.
    type: int
    default: 2
  address:
    description:
      - IP address that the name in O(host) should stand for.
      - Where the name fails, the address is tried too. Where that is good, RV(cause) is V(dns).
    type: str
  tls_versions:
    description: Try TLS 1.2 and TLS 1.3 each on a connection of its own.
    type: bool
    default: false
  proof:
    description:
      - Prove that work can be done. A file of 64 KiB is pushed, a script compares its hash and removes it again, and
        tells the agent's version.
      - Needs O(client_cert), and bash on the agent's host.
    type: bool
    default: false
  inspect:
    description:
      - Whether to look at the host where the task runs as well, for RV(target). Its instance, service, holder of the
        port, rights, disk and log then say why nobody answers. Only reads; what needs root is said.
      - With V(auto) that happens where the address of O(host) is one of this host's own and an instance of the agent
        has O(port).
    type: str
    choices: [auto, always, never]
    default: auto
  instance:
    description: Name of the instance to look at. The default is the one that is configured for O(port).
    type: str
  source:
    description:
      - IP address of a caller, such as the Octopus Server's. Where the host is looked at, its packet filter is asked
        whether it lets new connections from there pass. Only reads, and needs root.
    type: str
  compare:
    description:
      - Results of earlier checks of one agent, made from several places. Nothing is connected to; RV(cause) is the
        conclusion from all of them, and RV(vantages) lists them.
      - Good on the host itself and not from outside is a firewall between, another certificate outside is interception
        or offload, good by IP address and not by name is V(dns), and one family that fails is V(address_family).
      - Make the single checks with O(fail_on=[]), and this one fails.
    type: list
    elements: dict
  vantage:
    description: What to call the place that the check is made from, such as V(controller). Returned as it is.
    type: str
"""
