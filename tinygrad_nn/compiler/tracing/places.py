"""Places: where something stands that a step can reach, by a key in a holder."""

import copy
import dataclasses
from collections import deque
from types import MappingProxyType
from typing import Any, NamedTuple

__all__ = ["ABSENT", "Part", "Place", "Size", "is_keyed", "is_record"]

ABSENT: Any = type("Absent", (), {"__repr__": lambda self: "<absent>"})()


def is_keyed(holder: Any) -> bool:
    """Whether things stand in it by their keys, and not as attributes."""
    return isinstance(holder, (dict, list, deque, MappingProxyType))


def is_record(value: Any) -> bool:
    """Whether an object is frozen, such as an update rule with its numbers: a value by itself."""
    parameters = getattr(type(value), "__dataclass_params__", None)
    if parameters is None or not parameters.frozen or isinstance(value, type):
        return False
    held = getattr(value, "__dict__", None)  # with nothing in it besides its fields
    return held is not None and held.keys() == {field.name for field in dataclasses.fields(value)}


class Place(NamedTuple):
    """Where something stands: in a namespace, dict or list by a key, or in an attribute.

    A set has no places; it stands for itself, and what is in it is looked at as a whole.
    """

    holder: Any
    key: Any
    path: str  # how a person would write it

    def get(self) -> Any:
        """What stands there now."""
        holder = self.holder
        if isinstance(holder, dict):
            return dict.get(holder, self.key, ABSENT)
        if isinstance(holder, MappingProxyType):
            return holder.get(self.key, ABSENT)
        if isinstance(holder, set):
            return frozenset(holder)
        if isinstance(holder, (list, deque)):
            return holder[self.key] if self.key < len(holder) else ABSENT
        return getattr(holder, self.key, ABSENT)

    def holds(self, value: Any) -> bool:
        """Whether it is this that stands there now."""
        holder = self.holder
        return bool(holder == value) if isinstance(holder, set) else self.get() is value

    def set(self, value: Any) -> None:
        """Put something there."""
        holder = self.holder
        if isinstance(holder, set):
            holder.clear()
            holder.update(value)
        elif isinstance(holder, (dict, list, deque)):
            if value is ABSENT:
                del holder[self.key]
            else:
                holder[self.key] = value
        elif value is ABSENT:
            delattr(holder, self.key)
        else:
            setattr(holder, self.key, value)

    @property
    def identity(self) -> tuple[Any, ...]:
        """What tells it apart from other places, however it was come by."""
        return id(self.holder), self.key


class Size(Place):
    """How much is in a container: what is added to it has no place yet."""

    __slots__ = ()

    def get(self) -> Any:
        """How much there is now."""
        return len(self.holder)


class Part(Place):
    """A field of a frozen object. To change it, a changed copy takes the place of the object."""

    __slots__ = ()

    def get(self) -> Any:
        """What the object that stands there now has in this field."""
        return getattr(self.holder.get(), self.key, ABSENT)

    def set(self, value: Any) -> None:
        """Put a copy with this field changed in the place of the object."""
        changed = copy.copy(self.holder.get())
        object.__setattr__(changed, self.key, value)
        self.holder.set(changed)

    @property
    def identity(self) -> tuple[Any, ...]:
        """What tells it apart: the place of the object, and the field."""
        return *self.holder.identity, self.key

    @property
    def whole(self) -> Place:
        """Where the object stands."""
        return self.holder.whole if isinstance(self.holder, Part) else self.holder
