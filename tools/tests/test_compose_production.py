"""The small production of Compose: valid, refused without what it needs, and accepted by the settings classes.

`production.yml` by itself, for stores elsewhere; what is laid over it is in `test_compose_whole.py`.
"""

from __future__ import annotations

import json
import re
import secrets
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from servicekit.configuration.loading import load
from tools.settings_catalog import settings_class, settings_of, variables_of
from tools.tests.compose_program import compose

REPOSITORY = Path(__file__).parents[2]
FOLDER = REPOSITORY / "deploy" / "compose"
SERVICES = ("auth", "router", "usage", "gateway")
NEEDED = {
    "RAZVILKA_SECRETS": "./secrets",
    "RAZVILKA_HOST": "llm.example.ru",
    "RAZVILKA_MAIL_HOST": "smtp.example.ru",
}
SECRETS = {
    "auth": [
        *("AUTH_KEY_PEPPER", "AUTH_OAUTH_SIGNING_KEY_SECRET", "AUTH_ACCOUNTS_SECRET", "AUTH_POSTGRES_DSN"),
        "AUTH_REDIS_URL",
    ],
    "router": ["ROUTER_TOOL_CALL_KEY", "ROUTER_POSTGRES_DSN", "ROUTER_REDIS_URL"],
    "usage": ["USAGE_NOTIFICATIONS_SECRET", "USAGE_POSTGRES_DSN"],
    "gateway": ["GATEWAY_METERING_PROMPT_DIGEST_SECRET", "GATEWAY_REDIS_URL"],
}
REMEDIES = {
    "RAZVILKA_SECRETS": "make them: sudo sh make-secrets.sh PUBLIC_NAME MAIL_SERVER",
    "RAZVILKA_HOST": "set it to the public name, such as",
    "RAZVILKA_MAIL_HOST": "set it to the mail server, such as",
}


def config(given: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return compose(FOLDER, "-f", "production.yml", "config", "--format", "json", **given)


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    shown = config(NEEDED)
    assert shown.returncode == 0, shown.stderr
    found: dict[str, Any] = json.loads(shown.stdout)["services"]
    return found


def test_who_would_rather_be_back_soon_says_how_long_answers_may_take_to_end():
    """There is one gateway and one router: a single long stream kept everybody out for ten minutes at each release."""
    shown = json.loads(config({**NEEDED, "RAZVILKA_GRACE_S": "60"}).stdout)["services"]

    assert shown["gateway"]["environment"]["GATEWAY_GRACE_S"] == "60"
    assert shown["router"]["environment"]["ROUTER_GRPC_GRACE_S"] == "60"


@pytest.mark.parametrize("missing", NEEDED)
def test_a_start_without_what_it_needs_is_refused_in_one_line(missing):
    """The variable, and what to set it to."""
    refused = config({name: value for name, value in NEEDED.items() if name != missing})

    assert refused.returncode != 0
    assert missing in refused.stderr
    assert REMEDIES[missing] in refused.stderr
    assert refused.stderr.strip().count("\n") == 0


def test_a_start_without_anything_is_refused_in_one_line():
    """What comes first is said first: the secrets, whose script asks for the rest."""
    refused = config({})

    assert REMEDIES["RAZVILKA_SECRETS"] in refused.stderr
    assert refused.stderr.strip().count("\n") == 0


@pytest.mark.parametrize("service", SERVICES)
def test_with_stores_elsewhere_a_service_starts_as_production(service, services):
    """Every variable exists, and production refuses nothing once the addresses of the stores are in their files."""
    listed = dict(services[service]["environment"])
    assert listed.pop("RAZVILKA_SECRETS_DIR") == "/run/razvilka"
    assert set(listed) - variables_of(service) == {"RAZVILKA_PROFILE"}
    password = secrets.token_hex(16)
    known = {
        "POSTGRES_DSN": f"postgresql://u:{password}@db:5432/razvilka?sslmode=verify-full",
        "REDIS_URL": f"rediss://u:{password}@redis:6379/0",
    }
    for variable in SECRETS[service]:
        listed[variable] = known.get(variable.partition("_")[2], secrets.token_hex(32))

    assert {each.variable for each in settings_of(service) if each.required} <= set(listed)
    assert load(settings_class(service), listed)


@pytest.mark.parametrize("service", ["auth", "router", "usage"])
def test_migrations_gate_and_have_a_secret_of_their_own(service, services):
    """A service never sees the password of its schema's owner."""
    [folder] = [each["source"] for each in services[f"{service}-migrate"]["volumes"] if each["type"] == "bind"]
    assert Path(folder).name == f"{service}-migrate"
    gate = services[service]["depends_on"][f"{service}-migrate"]
    assert gate["condition"] == "service_completed_successfully"


def test_only_the_proxy_is_published(services):
    """And only it and the gateway are in the network whose addresses are believed."""
    assert [name for name, each in services.items() if each.get("ports")] == ["proxy"]
    assert [name for name, each in services.items() if "edge" in each.get("networks", {})] == ["gateway", "proxy"]


def test_nothing_of_a_demonstration_is_there(services):
    """No emulator, no outbox, no password in the file."""
    text = (FOLDER / "production.yml").read_text().lower()

    assert not {"emulator", "demo"} & set(services)
    assert not re.search(r"local-|password|_demo|_outbox", text)


PROGRAMS = [*SERVICES, "auth-migrate", "router-migrate", "usage-migrate", "certificates", "renewal"]


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_are_locked_down(name, services):
    """As in the file for one machine."""
    service = services[name]
    folders = [each["source"] for each in service["volumes"] if each["type"] == "bind"]

    assert (service["read_only"], service["user"], service["cap_drop"]) == (True, "10001:10001", ["ALL"])
    assert [Path(folder).name for folder in folders] == ([] if name in ("certificates", "renewal") else [name])


@pytest.mark.parametrize("service", SERVICES)
def test_each_service_sees_its_own_certificate_and_no_other(service, services):
    """A volume each, so that it holds with every engine: whoever breaks into one would else be all of them."""
    mounted = [each["source"] for each in services[service]["volumes"] if each["source"].startswith("tls-")]

    assert mounted == [f"tls-{service}"]


def test_a_large_report_is_made_on_disk():
    """In /tmp, which is memory, one of a million rows ended usage again and again: whoever takes it up begins anew."""
    production = yaml.safe_load((FOLDER / "production.yml").read_text())
    usage = production["services"]["usage"]
    scratch = usage["environment"]["USAGE_REPORTS_SCRATCH_DIR"]

    assert f"reports:{scratch}" in usage["volumes"]
    assert "reports" in production["volumes"]
    assert [each for each in usage["tmpfs"] if scratch.startswith(each)] == []
    # A new volume gets the owner that the image gives this folder.
    [made] = re.findall(
        r"RUN install -d -o 10001 -g 10001 (.*?)\nWORKDIR", (REPOSITORY / "Dockerfile").read_text(), re.DOTALL
    )
    assert scratch in made.split()


@pytest.mark.parametrize(("service", "variable"), [("gateway", "GATEWAY_GRACE_S"), ("router", "ROUTER_GRPC_GRACE_S")])
def test_the_longest_answer_fits_into_the_time_to_end(service, variable, services):
    """The engine must not kill what is still answering."""
    given = services[service]["environment"]
    own_s = float(given[variable]) + float(given.get("GATEWAY_LEAVE_S", 0))
    [(minutes, seconds)] = re.findall(r"^(?:(\d+)m)?(\d+)s$", services[service]["stop_grace_period"])

    assert int(minutes or 0) * 60 + int(seconds) > own_s
    assert float(given[variable]) - 10 > 600
