# Copyright (c) 2026, listening.tentacle contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Endpoints of hosts in the inventory."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.listening.tentacle.plugins.filter.endpoints import endpoints

HOSTVARS = {
    "bare": {},
    "full": {"ansible_host": "10.0.0.2", "tentacle_port": 10934, "tentacle_thumbprint": "AB" * 20, "pin": "CD" * 20},
    "behind": {"ansible_host": "10.0.0.3", "tentacle_public_hostname": "nat.example.com", "tentacle_comms_port": 443},
    "told": {
        "ansible_host": "10.0.0.4",
        "tentacle_result": {"public_hostname": "10.0.0.9", "comms_port": 20933, "port": 10933},
    },
    "rolled": {"tentacle_port": 1, "tentacle_result": {"port": 10935, "thumbprint": "EF" * 20}},
}


def test_takes_what_is_known() -> None:
    assert endpoints(["full", "bare", "rolled"], HOSTVARS) == [
        {"name": "full", "host": "10.0.0.2", "port": 10934, "thumbprint": "AB" * 20},
        {"name": "bare", "host": "bare"},
        {"name": "rolled", "host": "rolled", "port": 10935, "thumbprint": "EF" * 20},
    ]
    assert endpoints(["full"], HOSTVARS, thumbprint="pin")[0]["thumbprint"] == "CD" * 20


def test_the_address_that_servers_use_comes_first() -> None:
    assert endpoints(["behind", "told"], HOSTVARS) == [
        {"name": "behind", "host": "nat.example.com", "port": 443},
        {"name": "told", "host": "10.0.0.9", "port": 20933},
    ]


def test_says_what_cannot_be() -> None:
    with pytest.raises(AnsibleFilterError, match="'lost' is no host"):
        endpoints(["lost"], HOSTVARS)
    with pytest.raises(AnsibleFilterError, match="list of hosts"):
        endpoints("full", HOSTVARS)
