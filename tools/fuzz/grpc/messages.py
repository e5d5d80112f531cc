"""Random messages of any protobuf type, and what damage makes of them."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Final

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

DEEPEST: Final = 4
TEXTS: Final = (
    "",
    "a",
    "\x00",
    "\r\n",
    "' OR 1=1 --",
    "{}",
    "yandexgpt:latest",
    "gigachat",
    "\u202e\ufeff",
    "\U0001f600" * 50,
    "-1",
    "1e309",
    "2026-13-45",
    "192.168.0.1/33",
    "user@example.com",
    "https://[::1",
    "x" * 5_000,
)
NUMBERS: Final = (0, 1, -1, 2**31 - 1, -(2**31), 2**63 - 1, -(2**63), 10**15)
FLOATS: Final = (0.0, -0.0, 1.5, -1.0, 1e308, float("inf"), float("-inf"), float("nan"))


class Messages:
    """Makes messages from a source of chance: the same seed makes the same ones."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng

    def encoded(self, of: Descriptor) -> bytes:
        """Return a message of a type as bytes; one in three is damaged."""
        whole = self.message(of).SerializeToString()
        return self._damaged(whole) if self._rng.random() < 1 / 3 else whole

    def message(self, of: Descriptor, depth: int = 0) -> Message:
        """Return a message with some of its fields set to anything."""
        made = GetMessageClass(of)()
        for field in of.fields:
            if self._rng.random() < 0.7 and not (field.message_type and depth >= DEEPEST):
                self._fill(made, field, depth)
        return made

    def _fill(self, made: Message, field: FieldDescriptor, depth: int) -> None:
        if field.message_type and field.message_type.GetOptions().map_entry:
            self._fill_map(getattr(made, field.name), field.message_type, depth)
        elif field.is_repeated:
            held = getattr(made, field.name)
            for _ in range(self._rng.choice((1, 2, 3, 40))):
                if field.message_type:
                    held.add().CopyFrom(self.message(field.message_type, depth + 1))
                else:
                    held.append(self._scalar(field))
        elif field.message_type:
            getattr(made, field.name).CopyFrom(self.message(field.message_type, depth + 1))
        else:
            setattr(made, field.name, self._scalar(field))

    def _fill_map(self, held: Any, entry: Descriptor, depth: int) -> None:
        key, value = entry.fields_by_name["key"], entry.fields_by_name["value"]
        for _ in range(self._rng.choice((1, 2, 20))):
            if value.message_type:
                held[self._scalar(key)].CopyFrom(self.message(value.message_type, depth + 1))
            else:
                held[self._scalar(key)] = self._scalar(value)

    def _scalar(self, field: FieldDescriptor) -> Any:
        makers: Mapping[int, Callable[[], Any]] = {
            FieldDescriptor.CPPTYPE_STRING: lambda: self._text(is_text=field.type == FieldDescriptor.TYPE_STRING),
            FieldDescriptor.CPPTYPE_BOOL: lambda: self._rng.random() < 0.5,
            FieldDescriptor.CPPTYPE_DOUBLE: lambda: self._rng.choice(FLOATS),
            FieldDescriptor.CPPTYPE_FLOAT: lambda: self._rng.choice((0.0, 1.5, float("nan"), float("inf"))),
            FieldDescriptor.CPPTYPE_ENUM: lambda: self._rng.choice((0, 1, 2, 3, 99, -1)),
            FieldDescriptor.CPPTYPE_INT32: lambda: self._number(-(2**31), 2**31),
            FieldDescriptor.CPPTYPE_INT64: lambda: self._number(-(2**63), 2**63),
            FieldDescriptor.CPPTYPE_UINT32: lambda: self._number(0, 2**32),
            FieldDescriptor.CPPTYPE_UINT64: lambda: self._number(0, 2**64),
        }
        return makers[field.cpp_type]()

    def _number(self, least: int, above: int) -> int:
        return self._rng.choice([number for number in NUMBERS if least <= number < above])

    def _text(self, *, is_text: bool) -> str | bytes:
        if not is_text:
            return self._rng.randbytes(self._rng.choice((0, 1, 16, 32, 500)))
        kind = self._rng.random()
        if kind < 0.3:
            return str(uuid.UUID(int=self._rng.getrandbits(128)))
        return self._rng.choice(TEXTS)

    def _damaged(self, whole: bytes) -> bytes:
        kind = self._rng.randrange(3)
        if kind == 0 or not whole:
            return self._rng.randbytes(self._rng.choice((1, 5, 60, 2000)))
        if kind == 1:
            return whole[: self._rng.randrange(len(whole))]
        bent = bytearray(whole)
        for _ in range(self._rng.randint(1, 8)):
            bent[self._rng.randrange(len(bent))] = self._rng.randrange(256)
        return bytes(bent)
