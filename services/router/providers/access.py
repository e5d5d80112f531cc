"""How a provider is configured: setting names, and what replaces them when the emulator plays the provider."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable that sets one setting of a provider."""

    name: str
    """As a person sets it for `make up` or Compose."""
    setting: str
    """Field of the provider's settings class."""
    meaning: str = ""
    """For `.env.example`; empty: said with the variable before it."""


@dataclass(frozen=True, slots=True)
class Access:
    """What `make up`, Compose, Kubernetes and `.env.example` need to know about a provider."""

    title: str
    """As people call it."""
    part: str
    """Its field in the router's settings: `yandex` for ROUTER_YANDEX_*."""
    key_setting: str
    """The setting that replicas share and nobody else knows."""
    surface: str
    """The emulator's listener for it: `yandex` for EMULATOR_YANDEX_PORT; empty: the emulator does not play it."""
    needed: Sequence[Sequence[str]]
    """Each a set of variables that, all given, make it the real provider."""
    variables: Sequence[Variable]
    emulated: Mapping[str, str]
    """Settings that point at the emulator; `{yandex}` is the address of that listener."""

    def router_variable(self, setting: str) -> str:
        """Return the router's variable of a setting."""
        return f"ROUTER_{self.part}_{setting}".upper()

    def is_real(self, given: Mapping[str, str]) -> bool:
        """Say whether the variables given make it the real provider."""
        return any(all(_is_given(given, name) for name in ways) for ways in self.needed)

    def half_given(self, given: Mapping[str, str]) -> list[Sequence[str]]:
        """Return the sets of which some variables are given, when no set is whole."""
        if self.is_real(given):
            return []
        return [ways for ways in self.needed if any(_is_given(given, name) for name in ways)]

    def translated(self, given: Mapping[str, str]) -> dict[str, str]:
        """Return the router's variables for those of the suite's that are given."""
        return {self.router_variable(each.setting): given[each.name] for each in self.variables if given.get(each.name)}

    def played(self, addresses: Mapping[str, str]) -> dict[str, str]:
        """Return the router's variables while the emulator plays the provider.

        Args:
            addresses: scheme, host and port by listener.
        """
        return {self.router_variable(name): value.format_map(addresses) for name, value in self.emulated.items()}


def _is_given(given: Mapping[str, str], name: str) -> bool:
    return given.get(name, "").lower() not in ("", "false", "0")
