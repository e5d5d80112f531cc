"""Every setting of every program: its variable, default and meaning, read from the settings classes."""

import enum
import importlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings

# Where each program's one settings class is, in the order a reader meets them.
SETTINGS: Final = {
    "gateway": ("services.gateway.settings", "GatewaySettings"),
    "auth": ("services.auth.settings", "AuthSettings"),
    "router": ("services.router.settings", "RouterSettings"),
    "usage": ("services.usage.settings", "UsageSettings"),
    "emulator": ("emulator.listeners", "EmulatorSettings"),
}


@dataclass(frozen=True, slots=True)
class Setting:
    """One variable."""

    variable: str
    description: str
    default: str
    required: bool
    secret: bool


def settings_class(program: str) -> type[BaseSettings]:
    """Return the settings class of a program."""
    module, name = SETTINGS[program]
    found: type[BaseSettings] = getattr(importlib.import_module(module), name)
    return found


def settings_of(program: str) -> list[Setting]:
    """Return the settings of a program in the order its class declares them."""
    cls = settings_class(program)
    prefix = str(cls.model_config.get("env_prefix", ""))
    return list(_walk(cls, prefix, None))


def variables_of(program: str) -> frozenset[str]:
    """Return the names of a program's variables."""
    return frozenset(setting.variable for setting in settings_of(program))


def _walk(model: type[BaseModel], prefix: str, given: BaseModel | None) -> Iterator[Setting]:
    for name, field in model.model_fields.items():
        variable = f"{prefix}{name}".upper()
        default = getattr(given, name) if given is not None else field.get_default(call_default_factory=True)
        part = field.annotation
        if isinstance(part, type) and issubclass(part, BaseModel):
            yield from _walk(part, f"{variable}_", default if isinstance(default, BaseModel) else None)
            continue
        yield Setting(
            variable=variable,
            description=" ".join((_description(model, name, field)).split()),
            default=_shown(default),
            required=default is PydanticUndefined,
            secret=field.annotation is SecretStr,
        )


def _description(model: type[BaseModel], name: str, field: FieldInfo) -> str:
    if field.description:
        return field.description
    # A subclass that only changes a default leaves the meaning where it was said first.
    for parent in model.__mro__[1:]:
        if issubclass(parent, BaseModel) and name in parent.model_fields and parent.model_fields[name].description:
            return parent.model_fields[name].description or ""
    return ""


def _shown(value: Any) -> str:
    if value is None or value is PydanticUndefined:
        return ""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, enum.Enum):
        return str(value.value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float | Path):
        return str(value)
    return _json(value)


def _json(value: Any) -> str:
    listed = sorted(value) if isinstance(value, frozenset | set) else value
    return json.dumps(listed, ensure_ascii=False, default=lambda other: other.model_dump())
