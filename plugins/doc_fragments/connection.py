# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  host:
    description:
      - Name or IP address of the agent. IPv6 addresses may stand in brackets.
      - The default is C(ansible_host) of the host that the task is for, or else its name in the inventory.
    type: str
  port:
    description: Port of the agent.
    type: int
    default: 10933
  thumbprint:
    description:
      - Thumbprint that the agent's certificate must have, as the Octopus Server compares it.
      - SHA-1 (40 hexadecimal digits), SHA-256 (64), or the certificate itself in PEM form. Colons, spaces, dashes and
        case do not matter.
      - It is compared before anything is said to the agent.
    type: str
    aliases: [fingerprint, expected_thumbprint]
  client_cert:
    description:
      - Path of the certificate to present to the agent, in PEM form, on the host where the task runs.
      - The agent must trust its thumbprint.
    type: path
  client_key:
    description:
      - Path of the private key that belongs to O(client_cert), in PEM form. It never leaves the host where the task
        runs.
      - The default is O(client_cert) itself, for a file that holds both.
    type: path
  client_key_passphrase:
    description: Passphrase of an encrypted O(client_key).
    type: str
  timeout:
    description:
      - Seconds to wait for each step of a connection, such as connecting, the TLS handshake, and each pause within an
        answer.
    type: int
    default: 30
  proxy_host:
    description:
      - Name or IP address of an HTTP proxy to go through, as the Octopus Server does for a machine with a proxy.
      - The proxy must tunnel with C(CONNECT). It looks up the agent's name itself.
    type: str
  proxy_port:
    description: Port of the proxy.
    type: int
    default: 8080
  proxy_username:
    description: User name for the proxy, sent as a Basic login with the first request. Without it no login is sent.
    type: str
  proxy_password:
    description: Password for the proxy.
    type: str
requirements:
  - Nothing but Python 3.9 or later where the task runs. The agent may be of this collection or an original Octopus
    Tentacle.
"""
