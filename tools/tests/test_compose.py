"""docker-compose.yml agrees with the settings classes and keeps its promises."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tools.settings_catalog import SETTINGS, settings_of, variables_of

REPOSITORY = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
PROGRAMS = ("auth", "router", "usage", "gateway", "emulator")


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_variable_exists_in_the_settings_class(program):
    """A typo in a name would silently leave the default."""
    assert set(SERVICES[program]["environment"]) - variables_of(program) == set()


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_required_setting_is_given(program):
    """Nothing is left that stops the start."""
    required = {each.variable for each in settings_of(program) if each.required}

    assert required - set(SERVICES[program]["environment"]) == set()


@pytest.mark.parametrize("service", ["auth", "router", "usage"])
def test_the_gateway_calls_the_port_the_service_listens_on(service):
    """Two places name the port; they must be the same."""
    listens = SERVICES[service]["environment"][f"{service.upper()}_GRPC_PORT"]

    assert SERVICES["gateway"]["environment"][f"GATEWAY_{service.upper()}_TARGET"] == f"{service}:{listens}"
    assert f"127.0.0.1:{listens}" in SERVICES[service]["healthcheck"]["test"]


def test_only_the_gateway_is_published_and_only_on_loopback():
    """Local passwords are for this machine."""
    published = {name: service["ports"] for name, service in SERVICES.items() if service.get("ports")}

    assert published == {"gateway": ["127.0.0.1:${RAZVILKA_PORT:-8080}:8080"]}
    assert SERVICES["gateway"]["environment"]["GATEWAY_PORT"] == "8080"


@pytest.mark.parametrize("name", SERVICES)
def test_root_filesystems_are_read_only_and_our_programs_are_not_root(name):
    """What a break-in could change is what a program must write."""
    service = SERVICES[name]

    assert service["read_only"] is True
    if name not in ("postgres", "redis"):  # the official images start as root and step down by themselves
        assert service["user"] == "10001:10001"


@pytest.mark.parametrize("program", SETTINGS)
def test_programs_have_a_health_check(program):
    """`up --wait` waits for what can be waited for."""
    assert SERVICES[program]["healthcheck"]["test"][0] == "CMD"


@pytest.mark.parametrize("program", ["auth", "router", "usage", "gateway"])
def test_a_program_is_given_longer_to_stop_than_it_takes(program):
    """The engine must not kill what is still ending in order."""
    grace = {each.variable: each.default for each in settings_of(program)}
    own_s = float(grace.get("GATEWAY_GRACE_S") or grace[f"{program.upper()}_GRPC_GRACE_S"])

    assert float(SERVICES[program]["stop_grace_period"].removesuffix("s")) > own_s


def test_the_file_is_valid_compose():
    """As the compose program itself sees it."""
    compose = Path(sys.executable).with_name("docker-compose")

    done = subprocess.run([compose, "config", "-q"], cwd=REPOSITORY, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


def test_the_image_holds_only_what_the_programs_need():
    """The runtime's packages are a part of the developer's, with the same versions."""
    pinned = set(_pins("requirements-runtime.lock"))

    assert pinned
    assert pinned <= set(_pins("requirements.lock"))


def _pins(lock: str) -> list[str]:
    lines = (REPOSITORY / lock).read_text().splitlines()
    return [line.split(" ")[0] for line in lines if line and not line.startswith((" ", "#"))]
