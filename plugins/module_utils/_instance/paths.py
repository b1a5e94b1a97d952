# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Where things live when nobody says otherwise.

Root's places never collide with those of an installed original; everybody else's follow the XDG directories.

    what                     root                                  everybody else
    programs                 /opt/tentacle-agent                   ~/.local/share/tentacle-agent/programs
    configuration home       /etc/tentacle-agent                   ~/.config/tentacle-agent
    instance records         <configuration home>/Tentacle/Instances/<name>.config
    configuration and key    <configuration home>/<name>/{tentacle.json,identity.pem}
    home                     /var/lib/tentacle-agent/<name>        ~/.local/share/tentacle-agent/<name>
    applications             <home>/Applications

``<name>`` is the instance's name in lower case, blanks as dashes, everywhere the same. The environment variable
``TentacleMachineConfigurationHomeDirectory`` replaces the configuration home (docs/protocol/tentacle-services.md §5.3).
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from .errors import SelectionError

PROGRAM = "tentacle-agent"
DEFAULT_INSTANCE = "Tentacle"
CONFIGURATION_NAME = "tentacle.json"
IDENTITY_NAME = "identity.pem"
LOCAL_CONFIGURATION_NAME = "Tentacle.config"
CONFIGURATION_HOME_VARIABLE = "TentacleMachineConfigurationHomeDirectory"
MACHINE = {CONFIGURATION_HOME_VARIABLE: f"/etc/{PROGRAM}"}  # an environment that leads everybody to the machine's own

# Unit names, directory names and the original's record names all have to be able to carry it.
_INSTANCE_NAME = r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,99}"
_RESERVED_NAMES = frozenset({"programs"})  # the programs' directory lies beside the homes of an unprivileged user


def is_privileged() -> bool:
    """Whether this process may use the machine's own directories."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


def check_instance_name(instance: str) -> str:
    """The name itself, when it can be a file, a directory and a unit. Raises SelectionError."""
    if not re.fullmatch(_INSTANCE_NAME, instance) or file_name(instance) in _RESERVED_NAMES:
        raise SelectionError(
            f"'{instance}' cannot be the name of an instance. Use up to 100 letters, digits, blanks, dots, dashes and "
            "underscores, beginning with a letter or digit (and not 'programs').",
            cause="instance_name_invalid",
        )
    return instance


def file_name(instance: str) -> str:
    """What files, directories and units of an instance are called: lower case, blanks as dashes."""
    return instance.lower().replace(" ", "-")


def programs_directory(environment: Mapping[str, str] | None = None) -> str:
    """The directory that holds every unpacked version of the agent."""
    if is_privileged():
        return f"/opt/{PROGRAM}"
    return os.path.join(_user_data(environment), "programs")


def configuration_home(environment: Mapping[str, str] | None = None) -> str:
    """The directory below which records and configurations lie."""
    environment = os.environ if environment is None else environment
    chosen = environment.get(CONFIGURATION_HOME_VARIABLE, "")
    if chosen:
        return os.path.abspath(os.path.expanduser(chosen))
    if is_privileged():
        return f"/etc/{PROGRAM}"
    base = environment.get("XDG_CONFIG_HOME", "")
    return os.path.join(base if os.path.isabs(base) else os.path.expanduser("~/.config"), PROGRAM)


def records_directory(environment: Mapping[str, str] | None = None) -> str:
    """The directory of instance records (docs/protocol/tentacle-services.md §5.3)."""
    return os.path.join(configuration_home(environment), "Tentacle", "Instances")


def configuration_directory(instance: str, environment: Mapping[str, str] | None = None) -> str:
    """The directory of an instance's configuration and key. Raises SelectionError for an impossible name."""
    return os.path.join(configuration_home(environment), file_name(check_instance_name(instance)))


def configuration_file(instance: str, environment: Mapping[str, str] | None = None) -> str:
    """The configuration file of an instance that did not choose its own. Raises SelectionError."""
    return os.path.join(configuration_directory(instance, environment), CONFIGURATION_NAME)


def home_directory(instance: str, environment: Mapping[str, str] | None = None) -> str:
    """The home (workspaces, logs, files) of an instance that did not choose its own. Raises SelectionError."""
    name = file_name(check_instance_name(instance))
    if is_privileged():
        return f"/var/lib/{PROGRAM}/{name}"
    return os.path.join(_user_data(environment), name)


def unit_name(instance: str) -> str:
    """The systemd unit of an instance. Raises SelectionError for an impossible name."""
    return f"{PROGRAM}@{file_name(check_instance_name(instance))}.service"


def identity_unit_name(instance: str) -> str:
    """The systemd unit that makes the identity of an instance at first boot. Raises SelectionError."""
    return f"{PROGRAM}-identity@{file_name(check_instance_name(instance))}.service"


def _user_data(environment: Mapping[str, str] | None) -> str:
    environment = os.environ if environment is None else environment
    base = environment.get("XDG_DATA_HOME", "")
    return os.path.join(base if os.path.isabs(base) else os.path.expanduser("~/.local/share"), PROGRAM)
