"""The small production of Compose: valid, refused without what it needs, and accepted by the settings classes."""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from servicekit.configuration.loading import load
from tests.documents import code_blocks
from tools.settings_catalog import settings_class, settings_of, variables_of

REPOSITORY = Path(__file__).parents[2]
FOLDER = REPOSITORY / "deploy" / "compose"
PAGE = REPOSITORY / "docs" / "operations" / "compose.md"
SERVICES = ("auth", "router", "usage", "gateway")
NEEDED = {"RAZVILKA_HOST": "llm.example.ru", "RAZVILKA_MAIL_HOST": "smtp.example.ru"}


def compose(given: dict[str, str]) -> subprocess.CompletedProcess[str]:
    program = str(Path(sys.executable).with_name("docker-compose"))
    command = [program, "-f", "production.yml", "config", "--format", "json"]
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **given}
    return subprocess.run(command, cwd=FOLDER, env=environment, capture_output=True, text=True)


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    shown = compose(NEEDED)
    assert shown.returncode == 0, shown.stderr
    found: dict[str, Any] = json.loads(shown.stdout)["services"]
    return found


@pytest.mark.parametrize("missing", NEEDED)
def test_a_start_without_what_it_needs_is_refused_in_one_line(missing):
    """The variable, and what to set it to."""
    refused = compose({name: value for name, value in NEEDED.items() if name != missing})

    assert refused.returncode != 0
    assert re.search(rf"{missing}.*set it to the (public name|mail server), such as", refused.stderr)
    assert refused.stderr.strip().count("\n") == 0


def secret_files() -> dict[str, set[str]]:
    """Return the files of secrets that the page has made, by the service that reads them."""
    made: dict[str, set[str]] = {}
    for language, text in code_blocks(PAGE):
        for service, variable in re.findall(r"(?<=> )secrets/([a-z-]+)/([A-Z_]+)", text) if language == "sh" else []:
            made.setdefault(service, set()).add(variable)
    return made


@pytest.mark.parametrize("service", SERVICES)
def test_with_the_secrets_of_the_page_a_service_starts_as_production(service, services):
    """Every variable exists, nothing required is missing, and production refuses nothing."""
    password = secrets.token_hex(16)
    listed = dict(services[service]["environment"])
    assert listed.pop("RAZVILKA_SECRETS_DIR") == "/run/razvilka"
    for variable in secret_files()[service]:
        dsn = f"postgresql://u:{password}@db:5432/razvilka?sslmode=verify-full"
        redis = f"rediss://u:{password}@redis:6379/0"
        known = {"POSTGRES_DSN": dsn, "REDIS_URL": redis}
        listed[variable] = known.get(variable.partition("_")[2], secrets.token_hex(32))

    assert set(listed) - variables_of(service) == {"RAZVILKA_PROFILE"}
    assert {each.variable for each in settings_of(service) if each.required} <= set(listed)
    assert load(settings_class(service), listed)


@pytest.mark.parametrize("service", ["auth", "router", "usage"])
def test_migrations_gate_and_have_a_secret_of_their_own(service, services):
    """A service never sees the password of its schema's owner."""
    assert secret_files()[f"{service}-migrate"] == {f"{service.upper()}_MIGRATIONS_DSN"}
    gate = services[service]["depends_on"][f"{service}-migrate"]
    assert gate["condition"] == "service_completed_successfully"


def test_only_the_proxy_is_published(services):
    """And only it and the gateway are in the network whose addresses are believed."""
    assert [name for name, each in services.items() if each.get("ports")] == ["proxy"]
    assert [name for name, each in services.items() if "edge" in each["networks"]] == ["gateway", "proxy"]


def test_nothing_of_a_demonstration_is_there(services):
    """No emulator, no outbox, no password in the file."""
    text = (FOLDER / "production.yml").read_text().lower()

    assert not {"emulator", "demo"} & set(services)
    assert not re.search(r"local-|password|_demo|_outbox", text)


@pytest.mark.parametrize("name", [*SERVICES, "auth-migrate", "router-migrate", "usage-migrate", "certificates"])
def test_programs_are_locked_down(name, services):
    """As in the file for one machine."""
    service = services[name]
    folders = [each["source"] for each in service["volumes"] if each["type"] == "bind"]

    assert (service["read_only"], service["user"], service["cap_drop"]) == (True, "10001:10001", ["ALL"])
    assert [Path(folder).name for folder in folders] == ([] if name == "certificates" else [name])


@pytest.mark.parametrize(("service", "variable"), [("gateway", "GATEWAY_GRACE_S"), ("router", "ROUTER_GRPC_GRACE_S")])
def test_the_longest_answer_fits_into_the_time_to_end(service, variable, services):
    """The engine must not kill what is still answering."""
    given = services[service]["environment"]
    own_s = float(given[variable]) + float(given.get("GATEWAY_LEAVE_S", 0))
    [(minutes, seconds)] = re.findall(r"^(?:(\d+)m)?(\d+)s$", services[service]["stop_grace_period"])

    assert int(minutes or 0) * 60 + int(seconds) > own_s
    assert float(given[variable]) - 10 > 600
