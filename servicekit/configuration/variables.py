"""The variables that a settings class reads, walked from its fields."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable: its name, and the field that it sets."""

    name: str
    path: tuple[str, ...]
    owner: type[BaseModel]
    field: FieldInfo
    default: Any

    @property
    def required(self) -> bool:
        """Tell whether it has no default."""
        return self.default is PydanticUndefined


def walk(settings: type[BaseSettings]) -> list[Variable]:
    """Return all variables, in the order of declaration."""
    return list(_walk(settings, str(settings.model_config.get("env_prefix", "")), (), None))


def _walk(model: type[BaseModel], prefix: str, path: tuple[str, ...], given: BaseModel | None) -> Iterator[Variable]:
    for name, field in model.model_fields.items():
        variable, here = f"{prefix}{name}".upper(), (*path, name)
        default = getattr(given, name) if given is not None else field.get_default(call_default_factory=True)
        part = field.annotation
        if isinstance(part, type) and issubclass(part, BaseModel):
            yield from _walk(part, f"{variable}_", here, default if isinstance(default, BaseModel) else None)
        else:
            yield Variable(variable, here, model, field, default)
