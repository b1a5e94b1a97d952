# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  instance:
    description:
      - The name of the instance on this host.
      - When neither O(instance) nor O(config) is given, it is the instance C(Tentacle), as with the original.
    type: str
    aliases: [name]
  config:
    description:
      - The configuration file of the instance, where it does not lie in its usual place.
      - Given without O(instance), it means an instance that has no name and no record on the host.
    type: path
    aliases: [config_path]
  configuration_home:
    description:
      - The directory below which instances are recorded and their configurations lie.
      - The default is the value of E(TentacleMachineConfigurationHomeDirectory) on the target, else
        C(/etc/tentacle-agent) for root and C(~/.config/tentacle-agent) for everybody else.
    type: path
"""
