"""Reads a service's settings, or ends the process with one line for each fault."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsError

from servicekit.configuration.environment import BadEnvironment, read_environment
from servicekit.configuration.magnitudes import magnitude_faults
from servicekit.configuration.production import Refusing
from servicekit.configuration.variables import Variable, walk

T = TypeVar("T", bound=BaseSettings)
Profile = Literal["local", "production"]

PROFILE: Final = "RAZVILKA_PROFILE"
PROFILES: Final = ("local", "production")


def load(settings: type[T], environment: Mapping[str, str] = os.environ) -> T:
    """Read settings from the environment.

    Raises:
        SystemExit: a setting is missing, wrong, unknown or refused in production; the message has one line for each.
    """
    prefix = str(settings.model_config.get("env_prefix", ""))
    variables = walk(settings)
    known = frozenset(variable.name for variable in variables)
    try:
        # The migrations of the same service have a role of their own; who serves may be given its address as well.
        given = read_environment(environment, prefix, known | {f"{prefix}MIGRATIONS_DSN"})
        made = settings(**_parsed(settings, given))
    except BadEnvironment as exc:
        raise _bad(exc.lines) from None
    except SettingsError as exc:
        raise _bad([str(exc)]) from None
    except ValidationError as exc:
        raise _bad([line for error in exc.errors() for line in _lines(error, prefix, variables)]) from None
    if faults := list(magnitude_faults(made, variables)):
        raise _bad(faults)
    if _profile(environment) == "production" and isinstance(made, Refusing):
        _refuse(list(made.production_faults()), environment)
    return made


def _parsed(settings: type[BaseSettings], given: Mapping[str, str]) -> dict[str, Any]:
    source = EnvSettingsSource(settings)
    source.env_vars = {name.lower(): value for name, value in given.items()}
    return dict(source())


def _profile(environment: Mapping[str, str]) -> Profile:
    """Return the profile: production unless it is set to local."""
    named = environment.get(PROFILE) or "production"
    if named == "local":
        return "local"
    if named == "production":
        return "production"
    raise _bad([f"{PROFILE}={named}: must be one of {', '.join(PROFILES)}"])


def _refuse(faults: list[str], environment: Mapping[str, str]) -> None:
    if faults:
        is_default = not environment.get(PROFILE)
        how = f" (the default; {PROFILE}=local is for one machine and a demonstration)" if is_default else ""
        raise SystemExit(f"refused in production{how}:\n  " + "\n  ".join(faults))


def _bad(lines: list[str]) -> SystemExit:
    return SystemExit("bad settings:\n  " + "\n  ".join(lines))


def _lines(error: ErrorDetails, prefix: str, variables: list[Variable]) -> Iterator[str]:
    """Yield a line for each variable that an error is about; for a missing part, one for each required variable."""
    path = tuple(str(part) for part in error["loc"])
    below = [each for each in variables if each.path[: len(path)] == path and len(each.path) > len(path)]
    if error["type"] == "missing" and below:
        yield from (f"{each.name}: {error['msg']}" for each in below if each.required)
    else:
        yield f"{prefix}{'_'.join(path).upper()}: {error['msg']}"
