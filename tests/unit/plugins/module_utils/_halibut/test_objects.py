# pylint: disable=unidiomatic-typecheck  # exact types matter: a bool is an int, and so are Int64 and Date
from __future__ import annotations

import pytest

from module_utils._halibut import objects
from module_utils._halibut.bson import Guid, Int64
from module_utils._halibut.errors import RemoteProtocolError
from module_utils._halibut.objects import Contract, DataStream, Untyped

GUID = Guid(bytes(range(16)))


def test_names():
    assert objects.present("X") == ("Octopus.Tentacle.Contracts.X, Octopus.Tentacle.Contracts",)
    assert objects.legacy("X") == ("Octopus.Shared.Contracts.X, Octopus.Shared", *objects.present("X"))


def test_data_stream():
    stream = DataStream(GUID, 7)
    assert stream.to_document() == {"id": GUID, "length": 7}
    assert type(stream.to_document()["length"]) is Int64
    assert list(stream.to_document(as_slot=True)) == ["$type", "id", "length"]
    assert stream.streams() == (stream,)
    for document in (
        stream.to_document(),
        stream.to_document(as_slot=True),
        {"ID": str(GUID), "Length": 7},
        {"length": 7.0, "id": bytes(GUID)},
    ):
        assert DataStream.from_document(document) == stream


def test_data_stream_without_members():
    assert DataStream.from_document({}) == DataStream(Guid(bytes(16)), 0)


@pytest.mark.parametrize(
    "document", [{"id": None}, {"id": GUID, "length": None}, {"$type": "Other", "id": GUID}, None, []]
)
def test_what_is_no_data_stream(document):
    with pytest.raises(RemoteProtocolError, match="DataStream"):
        DataStream.from_document(document)


def test_the_base_is_abstract():
    with pytest.raises(NotImplementedError):
        Contract.from_document({})
    with pytest.raises(NotImplementedError):
        Contract().to_document()
    assert Contract().streams() == ()


def test_untyped():
    assert Untyped([1]) == Untyped([1])
