"""Every setting of every program: its variable, default and meaning, read from the settings classes."""

import enum
import importlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings

from servicekit.configuration.variables import Variable, walk

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
    return [_setting(variable) for variable in walk(settings_class(program))]


def variables_of(program: str) -> frozenset[str]:
    """Return the names of a program's variables."""
    return frozenset(setting.variable for setting in settings_of(program))


def _setting(variable: Variable) -> Setting:
    return Setting(
        variable=variable.name,
        description=" ".join(_description(variable.owner, variable.path[-1], variable.field).split()),
        default=_shown(variable.default),
        required=variable.required,
        secret=variable.field.annotation is SecretStr,
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
