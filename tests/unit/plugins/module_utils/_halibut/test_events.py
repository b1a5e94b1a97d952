from __future__ import annotations

import typing

import pytest

from module_utils._halibut import events
from module_utils._halibut.events import StreamData


@pytest.mark.parametrize("kind", typing.get_args(events.Event), ids=lambda kind: kind.__name__)
def test_events_are_frozen_values(kind):
    assert kind.__setattr__ is not object.__setattr__
    assert kind.__eq__ is not object.__eq__
    assert kind.__doc__


def test_stream_data_is_frozen_too():
    data = StreamData(b"abc")
    assert data == StreamData(b"abc")
    assert data != StreamData(b"abd")
    assert data == StreamData(memoryview(b"abc"))
    assert repr(data) == "StreamData(data=b'abc')"
    with pytest.raises(AttributeError, match="data of a StreamData cannot be changed"):
        data.data = b"other"
