from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from module_utils._halibut import values

value: Any = values.value  # a type checker takes it for dataclasses.dataclass


@value(frozen=True)
class Place:
    street: str
    number: int = 1


@value(frozen=True)
class Address(Place):
    town: str = "Ulm"


@value(frozen=True)
class Nowhere:
    pass


def test_members_come_by_position_by_name_or_by_default():
    assert vars(Place("A")) == {"street": "A", "number": 1}
    assert vars(Place(number=2, street="A")) == {"street": "A", "number": 2}
    assert vars(Address("A", 3)) == {"street": "A", "number": 3, "town": "Ulm"}
    with pytest.raises(TypeError):
        Place()
    with pytest.raises(TypeError):
        Place("A", 1, "B")


def test_equality_and_hash_are_those_of_class_and_members():
    assert Place("A") == Place("A", 1)
    assert Place("A") != Place("B")
    assert Place("A") != Address("A")
    assert Nowhere() == Nowhere()
    assert Nowhere() != ()
    assert len({Place("A"), Place("A", 1), Place("B"), Address("A"), Nowhere(), Nowhere()}) == 4


def test_text_names_class_and_members():
    assert repr(Address("A", 3)) == "Address(street='A', number=3, town='Ulm')"
    assert repr(Nowhere()) == "Nowhere()"


@pytest.mark.parametrize("name", ["street", "other"])
def test_nothing_can_be_changed(name):
    place = Place("A")
    with pytest.raises(AttributeError, match=f"{name} of a Place cannot be changed"):
        setattr(place, name, "B")
    with pytest.raises(AttributeError, match=f"{name} of a Place cannot be changed"):
        delattr(place, name)
    assert place == Place("A")


def test_values_can_be_copied_and_pickled():
    place = Address("A", 3)
    assert copy.deepcopy(place) == place
    assert pickle.loads(pickle.dumps(place)) == place


def test_a_copy_may_have_other_members():
    address = Address("A", 3)
    assert values.replace(address, number=4, town="Bonn") == Address("A", 4, "Bonn")
    assert address == Address("A", 3)
    with pytest.raises(TypeError):
        values.replace(address, country="D")


def test_members_are_named_in_order():
    assert values.names_of(Address) == ("street", "number", "town")
    assert values.names_of(Nowhere) == ()


def test_a_value_is_always_frozen():
    with pytest.raises(TypeError, match="always frozen"):
        value(frozen=False)
