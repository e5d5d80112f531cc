"""The small production with stores and observability laid over it, as Compose reads it after make-secrets.sh."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from servicekit.configuration.loading import load
from tools.settings_catalog import SETTINGS, settings_class, variables_of
from tools.tests.compose_program import compose, stand_in

REPOSITORY = Path(__file__).parents[2]
FOLDER = REPOSITORY / "deploy" / "compose"
OBSERVABILITY = REPOSITORY / "deploy" / "observability"
SERVICES = ("auth", "router", "usage", "gateway")
STORES = {"postgres", "redis"}
ONCE = {"volumes", "store-volumes", "watching-volumes"}
NAMES = ("llm.example.ru", "smtp.example.ru")


def make_secrets(folder: Path, *names: str) -> subprocess.CompletedProcess[str]:
    command = ["sh", str(folder / "make-secrets.sh"), *names]
    path = f"{folder / 'bin'}:{os.environ['PATH']}"
    return subprocess.run(command, cwd="/", env={"PATH": path}, capture_output=True, text=True)


def config(folder: Path, *more: str) -> dict[str, Any]:
    done = compose(folder, *more, "config", "--format", "json")
    assert (done.returncode, done.stderr) == (0, "")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of deploy/compose in which secrets were made by whoever passes for root."""
    deploy = tmp_path_factory.mktemp("checkout") / "deploy"
    shutil.copytree(REPOSITORY / "deploy", deploy, ignore=shutil.ignore_patterns(".env*", "secrets"))
    made = deploy / "compose"
    stand_in(made / "bin", {"id": "echo 0", "chown": ""})
    done = make_secrets(made, *NAMES)
    assert (done.returncode, done.stderr) == (0, "")
    return made


@pytest.fixture(scope="module")
def services(folder: Path) -> dict[str, Any]:
    return dict(config(folder)["services"])


def given_to(service: dict[str, Any]) -> dict[str, str]:
    """Return the variables of a service, those of its secrets' files among them."""
    listed = dict(service["environment"])
    listed.pop("RAZVILKA_SECRETS_DIR")
    [secrets] = [each["source"] for each in service["volumes"] if each["target"] == "/run/razvilka"]
    return listed | {file.name: file.read_text().strip() for file in Path(secrets).iterdir()}


@pytest.mark.parametrize("service", SERVICES)
def test_with_the_secrets_of_the_script_a_service_starts_as_production(service, services):
    """Every variable exists, nothing required is missing, production refuses nothing."""
    given = given_to(services[service])

    assert set(given) - variables_of(service) == {"RAZVILKA_PROFILE"}
    assert given["RAZVILKA_PROFILE"] == "production"
    assert load(settings_class(service), given)


def test_mails_are_from_the_public_name(services):
    """A mail server takes none from no-reply@localhost: nobody's registration was ever confirmed."""
    senders = [given_to(services["auth"])["AUTH_SMTP_SENDER"], given_to(services["usage"])["USAGE_MAIL_SENDER"]]

    assert senders == ["Razvilka <no-reply@llm.example.ru>"] * 2


@pytest.mark.parametrize("service", ["auth", "router", "usage"])
def test_migrations_have_a_secret_of_their_own(service, folder):
    """A service never sees the password of its schema's owner."""
    made = {file.name for file in (folder / "secrets" / f"{service}-migrate").iterdir()}

    assert made == {f"{service.upper()}_MIGRATIONS_DSN"}


def test_secrets_that_are_there_stay_and_nobody_else_reads_them(folder):
    """The script may run again: after an upgrade, or by mistake."""
    files = {file: file.read_text() for file in (folder / "secrets").rglob("*") if file.is_file()}
    settings = (folder / ".env").read_text()

    again = make_secrets(folder, "other.example.ru", "smtp.example.ru")

    assert again.returncode == 0
    assert {file: file.read_text() for file in files} == files
    assert (folder / ".env").read_text() == settings
    assert {file.stat().st_mode & 0o077 for file in files} == {0}
    # One address sends for both.
    secret = [text for file, text in files.items() if not file.name.endswith("_SENDER")]
    assert len(set(secret)) == len(secret)


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ((), "usage: sudo sh make-secrets.sh PUBLIC_NAME MAIL_SERVER"),
        (("llm.example.ru",), "usage: sudo sh make-secrets.sh PUBLIC_NAME MAIL_SERVER"),
        (("https://llm.example.ru", "smtp.example.ru"), "https://llm.example.ru is no name of a host"),
        (("llm.example.ru", "smtp example ru"), "smtp example ru is no name of a host"),
        (("", "smtp.example.ru"), " is no name of a host"),
    ],
)
def test_what_is_no_name_of_a_host_is_refused_in_one_line(folder, names, told):
    """Before anything is written, with exit status 2."""
    refused = make_secrets(folder, *names)

    assert (refused.returncode, refused.stdout) == (2, "")
    assert told in refused.stderr
    assert refused.stderr.strip().count("\n") == 0


def test_the_folder_refuses_a_start_before_secrets_are_made(tmp_path):
    """`docker compose up` without .env says what to do instead of that there is no file."""
    copied = tmp_path / "deploy" / "compose"
    shutil.copytree(FOLDER, copied, ignore=shutil.ignore_patterns(".env*", "secrets"))

    refused = compose(copied, "up")

    assert refused.returncode != 0
    assert "make them: sudo sh make-secrets.sh PUBLIC_NAME MAIL_SERVER" in refused.stderr
    assert refused.stderr.strip().count("\n") == 0


def test_the_file_of_the_folder_names_the_same_files_as_the_settings(folder):
    """Who leaves out a part edits .env; who has no .env gets the whole."""
    listed = re.findall(r"COMPOSE_FILE=(.*)", (folder / ".env").read_text())
    [included] = yaml.safe_load((FOLDER / "compose.yaml").read_text())["include"]

    assert listed[0].split(":") == included["path"]


def test_only_the_proxy_is_published_and_grafana_on_loopback(services):
    """Stores, services and Prometheus are for the machine's own containers."""
    published = {
        name: {each.get("host_ip") for each in service["ports"]}
        for name, service in services.items()
        if service.get("ports")
    }

    assert published == {"proxy": {None}, "grafana": {"127.0.0.1"}}


def test_stores_are_in_a_network_of_their_own(services):
    """Prometheus, Grafana and Caddy cannot reach PostgreSQL or Redis, and these reach nobody outside."""
    inside = {name for name, service in services.items() if "stores" in (service.get("networks", {}))}

    assert {name for name in STORES if set(services[name]["networks"]) == {"stores"}} == STORES
    assert inside == {*SERVICES, *STORES, "auth-migrate", "router-migrate", "usage-migrate", "bootstrap", "backup"}


def test_everything_is_locked_down_limited_and_rotated(services):
    """Read-only roots, no capabilities but the two that are named, memory, logs, restarts."""
    for name, service in services.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert int(service["mem_limit"]) > 0, name
        assert service["logging"]["options"].keys() == {"max-size", "max-file"}, name
        assert service["restart"] in ("unless-stopped", "on-failure:5"), name
    added = {name: service["cap_add"] for name, service in services.items() if service.get("cap_add")}
    assert added == {"proxy": ["NET_BIND_SERVICE"]} | {name: ["CHOWN"] for name in ONCE}
    assert {name for name, service in services.items() if service.get("user") != "10001:10001"} == {*ONCE, "proxy"}


def test_what_can_be_asked_has_a_health_check(services):
    """`up --wait` waits for it. The images of collector and Jaeger have no program to ask with."""
    lasting = {name for name, service in services.items() if service["restart"] == "unless-stopped"}

    asked = {name for name in lasting if services[name].get("healthcheck")}

    assert lasting - asked == {"renewal", "backup", "collector", "jaeger"}


@pytest.mark.parametrize("service", sorted(SETTINGS.keys() & set(SERVICES)))
def test_traces_go_to_the_collector_and_metrics_are_scraped(service, services):
    """The jobs of prometheus.yml ask the ports on which services listen."""
    scraped = yaml.safe_load((OBSERVABILITY / "prometheus.yml").read_text())["scrape_configs"]
    environment = services[service]["environment"]

    assert environment[f"{service.upper()}_TELEMETRY_OTLP_ENDPOINT"] == "http://collector:4317"
    port = environment[f"{service.upper()}_METRICS_PORT"]
    assert [f"{service}:{port}"] in [each["static_configs"][0]["targets"] for each in scraped]


def test_every_file_that_is_mounted_is_there(services):
    """An engine would make an empty folder in its place."""
    mounts = [each for service in services.values() for each in service.get("volumes", []) if each["type"] == "bind"]

    assert [each["source"] for each in mounts if not Path(each["source"]).exists()] == []


def test_the_trial_never_speaks_to_a_real_provider_and_says_so(folder):
    """check.yml: the emulator, the demonstration's accounts, loopback only."""
    files = ["-f", "production.yml", "-f", "stores.yml", "-f", "observability.yml", "-f", "check.yml"]
    tried = config(folder, *files)["services"]

    for service in SERVICES:
        given = given_to(tried[service])
        assert given["RAZVILKA_PROFILE"] == "local"
        assert load(settings_class(service), given)
    addresses = {
        value for name, value in tried["router"]["environment"].items() if name.endswith(("BASE_URL", "AUTH_URL"))
    }
    assert {re.sub(r":\d+.*", "", address.removeprefix("http://")) for address in addresses} == {"emulator"}
    assert {each["host_ip"] for service in tried.values() for each in service.get("ports") or []} == {"127.0.0.1"}
