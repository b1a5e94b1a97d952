# pylint: disable=unidiomatic-typecheck  # exact types matter: a bool is an int, and so are Int64 and Date
from __future__ import annotations

import pytest

from module_utils._halibut import contracts
from module_utils._halibut.bson import Int64
from module_utils._halibut.contracts import TYPES, CapabilitiesResponseV2, UploadResult
from module_utils._halibut.errors import RemoteProtocolError

# docs/protocol/tentacle-services.md §1.3
LEGACY = {
    "CancelScriptCommand",
    "CompleteScriptCommand",
    "ScriptFile",
    "ScriptStatusRequest",
    "ScriptStatusResponse",
    "ScriptTicket",
    "StartScriptCommand",
    "UploadResult",
}
TRUE_NAMES = {
    "ScriptStatusResponseV2": "ScriptServiceV2.",
    "StartScriptCommandV2": "ScriptServiceV2.",
    "ScriptStatusRequestV2": "ScriptServiceV2.",
    "CancelScriptCommandV2": "ScriptServiceV2.",
    "CompleteScriptCommandV2": "ScriptServiceV2.",
    "CapabilitiesResponseV2": "Capabilities.",
    "ProcessOutput": "",
}


@pytest.mark.parametrize("name", sorted(LEGACY))
def test_types_of_the_first_contract_keep_their_old_name(name):
    old = f"Octopus.Shared.Contracts.{name}, Octopus.Shared"
    new = f"Octopus.Tentacle.Contracts.{name}, Octopus.Tentacle.Contracts"
    contract = getattr(contracts, name)
    assert TYPES[old] is TYPES[new] is contract
    assert old == contract.TYPE_NAME


@pytest.mark.parametrize("name", sorted(TRUE_NAMES))
def test_other_types_have_their_true_name_only(name):
    true = f"Octopus.Tentacle.Contracts.{TRUE_NAMES[name]}{name}, Octopus.Tentacle.Contracts"
    contract = getattr(contracts, name)
    assert TYPES[true] is contract
    assert true == contract.TYPE_NAME
    assert (true,) == contract.TYPE_NAMES


def test_no_other_name_is_accepted():
    assert len(TYPES) == 2 * len(LEGACY) + len(TRUE_NAMES) + 1
    assert TYPES["Halibut.DataStream, Halibut"] is contracts.DataStream


def test_upload_result():
    result = UploadResult("/home/x", "A" * 40, 5)
    assert list(result.to_document(as_slot=True)) == ["$type", "FullPath", "Hash", "Length"]
    assert type(result.to_document()["Length"]) is Int64
    assert UploadResult.from_document(result.to_document(as_slot=True)) == result
    assert UploadResult.from_document({}) == UploadResult(None, None, 0)
    with pytest.raises(RemoteProtocolError, match=r"UploadResult\.Length is null"):
        UploadResult.from_document({"Length": None})


def test_capabilities():
    result = CapabilitiesResponseV2(("IScriptService", None))
    assert result.to_document() == {"SupportedCapabilities": ["IScriptService", None]}
    assert CapabilitiesResponseV2.from_document(result.to_document(as_slot=True)) == result
    assert CapabilitiesResponseV2.from_document({}) == CapabilitiesResponseV2(())
    with pytest.raises(RemoteProtocolError, match="SupportedCapabilities"):
        CapabilitiesResponseV2.from_document({"SupportedCapabilities": [{}]})


def test_everything_that_is_offered_exists():
    assert all(hasattr(contracts, name) for name in contracts.__all__)
