# Copyright (c) 2026, listening.tentacle contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Frozen values that cost little to define.

`dataclasses.dataclass` runs the compiler six times for each frozen class and imports `inspect`, the compiler's tables
and the tokenizer. For the forty classes of the core that was a sixth of the time in which an agent starts.
`value(frozen=True)` does the part of it that we use. It runs the compiler once, and only for classes of which somebody
makes an instance; a type checker sees the original in its place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass as value
    from dataclasses import replace
else:

    def value(*, frozen: bool) -> Any:
        """Make a class's annotated names the parameters of its constructor, with its attributes as their defaults."""
        if not frozen:
            raise TypeError("a value is always frozen")
        return _define

    def replace(original: Any, **changes: Any) -> Any:
        """A copy of a value with other values for some of its members."""
        return type(original)(**{**original.__dict__, **changes})


__all__ = ["names_of", "replace", "value"]


def names_of(kind: type) -> tuple[str, ...]:
    """The names of the members of a value's class, in order."""
    names: tuple[str, ...] = kind._names  # type: ignore[attr-defined]
    return names


def _define(cls: Any) -> Any:
    annotations = getattr(cls, "__annotations__", {})  # before Python 3.10 a base's, where a class has none
    own = [name for name, kind in annotations.items() if not kind.startswith("ClassVar")]
    names = cls._names = tuple(dict.fromkeys((*getattr(cls, "_names", ()), *own)))
    if names:

        def __init__(self: Any, *arguments: Any, **named: Any) -> None:
            """Make the constructor of the class when the first of its instances is made."""
            cls.__init__ = _constructor(cls, names)
            cls.__init__(self, *arguments, **named)

        cls.__init__ = __init__
    cls.__repr__ = _describe
    cls.__eq__ = _is_equal
    cls.__hash__ = _hash
    cls.__setattr__ = cls.__delattr__ = _refuse
    return cls


def _constructor(cls: Any, names: tuple[str, ...]) -> Any:
    defaults = {f"_{name}": getattr(cls, name) for name in names if hasattr(cls, name)}
    parameters = ", ".join(f"{name}=_{name}" if f"_{name}" in defaults else name for name in names)
    lines = "".join(f"\n    own[{name!r}] = {name}" for name in names)
    scope: dict[str, Any] = {}
    exec(f"def __init__(self, {parameters}):\n    own = self.__dict__{lines}", defaults, scope)
    return scope["__init__"]


def _describe(self: Any) -> str:
    members = ", ".join(f"{name}={member!r}" for name, member in self.__dict__.items())
    return f"{type(self).__name__}({members})"


def _is_equal(self: Any, other: object) -> Any:
    return self.__dict__ == other.__dict__ if type(other) is type(self) else NotImplemented


def _hash(self: Any) -> int:
    return hash((type(self), *self.__dict__.values()))


def _refuse(self: Any, name: str, *_value: object) -> None:
    raise AttributeError(f"{name} of a {type(self).__name__} cannot be changed")
