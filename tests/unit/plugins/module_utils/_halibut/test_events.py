from __future__ import annotations

import dataclasses
import typing

import pytest

from module_utils._halibut import events
from module_utils._halibut.events import StreamData


@pytest.mark.parametrize("kind", typing.get_args(events.Event), ids=lambda kind: kind.__name__)
def test_events_are_frozen_values(kind):
    assert dataclasses.is_dataclass(kind)
    assert kind.__dataclass_params__.frozen
    assert kind.__dataclass_params__.eq
    assert kind.__doc__


def test_stream_data_is_frozen_too():
    data = StreamData(b"abc")
    assert data == StreamData(b"abc")
    assert data != StreamData(b"abd")
    assert data == StreamData(memoryview(b"abc"))
    assert repr(data) == "StreamData(data=b'abc')"
    with pytest.raises(dataclasses.FrozenInstanceError):
        data.data = b"other"
