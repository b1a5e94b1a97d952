"""The rules for Azure and Google Cloud, checked by the argument specifications of their own modules.

Neither module is run further than its specification, which needs no account and none of the clouds' libraries.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any
from unittest import mock

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.listening.tentacle.plugins.filter.tentacle_cloud_rules import cloud_rules

SOURCES = ["198.51.100.7", "203.0.113.0/24", "2001:db8:12::/64"]
AZURE = "ansible_collections.azure.azcollection.plugins.modules.azure_rm_securitygroup"
GOOGLE = "ansible_collections.google.cloud.plugins.modules.gcp_compute_firewall"


class SpecificationReached(Exception):
    """Stops a module where it has said what it takes."""


def specification_of(name: str, base: str) -> dict[str, Any]:
    """What the module passes to its base class as its own specification."""
    module = importlib.import_module(name)
    given: dict[str, Any] = {}

    def stop(_self: Any, *arguments: Any, **named: Any) -> None:
        given.update(arguments[0] if arguments else named.get("argument_spec") or named["derived_arg_spec"])
        raise SpecificationReached

    with mock.patch.object(getattr(module, base), "__init__", stop):
        try:
            module.main()
        except SpecificationReached:
            return given
    raise AssertionError(f"{name} was not stopped at its specification")


def errors(specification: dict[str, Any], options: dict[str, Any]) -> list[str]:
    return ArgumentSpecValidator(specification).validate(options).error_messages


def main() -> int:
    azure, google = specification_of(AZURE, "AzureRMModuleBase"), specification_of(GOOGLE, "GcpModule")
    for sources in (SOURCES, ["any"], SOURCES[:1], SOURCES[2:]):
        rules = cloud_rules(sources, "azure")
        found = errors(azure, {"resource_group": "group", "name": "web", "rules": rules})
        assert found == [], found
        assert len({rule["priority"] for rule in rules}) == len(rules)
        for options in cloud_rules(sources, "gcp", target_tags=["web"]):
            found = errors(google, options)
            assert found == [], found
            assert len({":" in source for source in options["source_ranges"]}) == 1
    spoilt = [{**cloud_rules(SOURCES, "azure")[0], "access": "Perhaps"}]
    assert errors(azure, {"resource_group": "group", "name": "web", "rules": spoilt})
    assert errors(google, {**cloud_rules(SOURCES, "gcp")[0], "allowed": [{"ports": ["10933"]}]})
    print(f"the rules fit {len(azure)} options of Azure's module and {len(google)} of Google's")
    return 0


if __name__ == "__main__":
    sys.exit(main())
