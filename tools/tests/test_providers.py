"""What an installation says of the providers comes from the router's registry, or agrees with it."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from emulator.listeners import EmulatorSettings
from services.router.providers.access import Access
from services.router.providers.registry import BUILT_IN
from tools.settings_catalog import settings_of, variables_of
from tools.stack.environments import listener_of

REPOSITORY = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())["services"]
ROUTER: dict[str, str] = COMPOSE["router"]["environment"]
LISTENERS = {
    listener_of(name): f"http://emulator:{port}"
    for name, port in COMPOSE["emulator"]["environment"].items()
    if name.endswith("_PORT")
}
each_provider = pytest.mark.parametrize("access", [row.access for row in BUILT_IN], ids=lambda access: access.title)


@each_provider
def test_a_row_names_settings_variables_and_listeners_that_exist(access: Access) -> None:
    """A renamed setting cannot be forgotten in the registry."""
    named = {access.key_setting, *access.emulated, *(each.setting for each in access.variables)}

    assert {access.router_variable(name) for name in named} <= variables_of("router")
    assert {name for names in access.needed for name in names} <= {each.name for each in access.variables}
    assert not access.surface or f"{access.surface}_port" in EmulatorSettings.model_fields
    assert bool(access.surface) == bool(access.emulated)


@each_provider
def test_a_row_says_what_it_is_missing_for_the_real_provider(access: Access) -> None:
    """What is needed has no default of its own, so an installation without it is the emulator's."""
    defaults = {each.variable: each.default for each in settings_of("router")}
    needed = {name for names in access.needed for name in names}

    assert needed
    given = {defaults[access.router_variable(each.setting)] for each in access.variables if each.name in needed}
    assert given <= {"", "false"}
    for names in access.needed:
        assert access.is_real(dict.fromkeys(names, "x"))
        assert access.half_given(dict.fromkeys(names, "x")) == []
        for missing in names if len(names) > 1 else ():
            half = {name: "x" for name in names if name != missing}
            assert not access.is_real(half)
            assert names in access.half_given(half)


@each_provider
def test_compose_gives_the_router_what_the_registry_says(access: Access) -> None:
    """Each of the suite's names under the router's, with the emulator as the default."""
    played = access.played(LISTENERS)
    defaults = {each.variable: each.default for each in settings_of("router")} | played
    expected = {
        access.router_variable(each.setting): f"${{{each.name}:-{defaults[access.router_variable(each.setting)]}}}"
        for each in access.variables
    }
    given = {name: value for name, value in ROUTER.items() if name.startswith(access.router_variable(""))}

    assert given.items() <= expected.items()
    assert {name for name in played if name in expected} <= given.keys()


def test_compose_gives_the_router_no_provider_that_is_not_registered() -> None:
    """A provider that was taken out leaves nothing behind."""
    parts = tuple(row.access.router_variable("") for row in BUILT_IN)
    others = ("RAZVILKA_PROFILE", "ROUTER_GRPC_", "ROUTER_METRICS_", "ROUTER_POSTGRES_", "ROUTER_REDIS_", "ROUTER_TLS_")

    assert [name for name in ROUTER if not name.startswith((*parts, *others))] == []


def test_kubernetes_hands_over_a_secret_whose_keys_are_the_variables() -> None:
    """So that a further provider, or an upstream, needs no manifest; and no variable is named there one by one."""
    manifest = yaml.safe_load((REPOSITORY / "deploy/k8s/base/router/deployment.yaml").read_text())
    [program] = manifest["spec"]["template"]["spec"]["containers"]

    assert {"secretRef": {"name": "razvilka-providers", "optional": True}} in program["envFrom"]
    parts = tuple(row.access.router_variable("") for row in BUILT_IN)
    assert [each["name"] for each in program["env"] if each["name"].startswith(parts)] == []
