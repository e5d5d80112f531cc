"""The profile `production`, over the settings classes of all services: what stops the start, and how it is said."""

import secrets
from typing import Any

import pytest
import yaml
from pydantic_settings import BaseSettings

from servicekit.configuration.loading import load
from tools.settings_catalog import settings_class, variables_of
from tools.stack.home import REPOSITORY

SERVICES = ("gateway", "auth", "router", "usage")
# Looks random and is not: the names of tests are made of it, and two processes must agree on them.
PASSWORD = "9f2c51d07be84a63c6e0d19b7a45f382"
STORE = {
    "POSTGRES_DSN": f"postgresql://u:{PASSWORD}@db:5432/razvilka?sslmode=verify-full",
    "TLS_DIR": "/etc/razvilka/tls",
}
CACHE = {"REDIS_URL": f"rediss://u:{PASSWORD}@redis:6379/0", "TLS_DIR": "/etc/razvilka/tls"}
GOOD: dict[str, dict[str, str]] = {
    "gateway": CACHE | {"HSTS": "true"},
    "usage": STORE
    | {
        "NOTIFICATIONS_SECRET": secrets.token_hex(32),
        "NOTIFICATIONS_PUBLIC_URL": "https://llm.example.ru",
        "MAIL_HOST": "mail.example.ru",
    },
    "router": STORE | CACHE,
    "auth": STORE
    | CACHE
    | {
        "KEY_PEPPER": secrets.token_hex(32),
        "OAUTH_ISSUER": "https://llm.example.ru",
        "SMTP_HOST": "mail.example.ru",
    },
}
REFUSED = [
    ("gateway", "REDIS_URL", f"redis://u:{PASSWORD}@redis:6379/0"),
    ("gateway", "HSTS", "false"),
    ("gateway", "ENVIRONMENT", "development"),
    ("gateway", "TRUSTED_PROXIES", "10.0.0.0/8,0.0.0.0/0"),
    ("gateway", "TRUSTED_PROXIES", "::/0"),
    ("gateway", "PUBLIC_URL", "http://llm.example.ru"),
    ("gateway", "TLS_DIR", ""),
    ("gateway", "DEMO_FILE", "/run/razvilka/demo.env"),
    ("gateway", "EMULATOR_CONTROL_URL", "http://emulator:18080"),
    ("gateway", "METERING_PROMPT_DIGEST_SECRET", "local-digests-local-digests-local-digests"),
    ("gateway", "REDIS_URL", f"rediss://u:{PASSWORD}@redis:6379/0?ssl_cert_reqs=none"),
    ("auth", "KEY_PEPPER", "a" * 64),
    ("auth", "KEY_PEPPER", "local-pepper-local-pepper-local-pepper"),
    ("auth", "OAUTH_SIGNING_KEY_SECRET", "local-signing-local-signing-local-signing"),
    ("auth", "ACCOUNTS_SECRET", "local-accounts-local-accounts-local-accounts"),
    ("auth", "OAUTH_REGISTRATION_TOKEN", "local-registration-token"),
    ("auth", "OAUTH_ISSUER", "http://llm.example.ru"),
    ("auth", "SMTP_HOST", ""),
    ("auth", "SMTP_TLS", "none"),
    ("auth", "POSTGRES_DSN", f"postgresql://u:{PASSWORD}@db:5432/razvilka"),
    ("auth", "POSTGRES_DSN", "postgresql://u:local-auth@db:5432/razvilka?sslmode=verify-full"),
    ("router", "YANDEX_API_KEY", "AQVN-emulator-demo-key"),
    ("router", "GIGACHAT_CREDENTIALS", "ZW11bGF0b3I6c2VjcmV0"),
    ("router", "YANDEX_BASE_URL", "http://emulator:18081"),
    ("router", "TOOL_CALL_KEY", "local-tool-calls-local-tool-calls-local-tool-calls"),
    ("router", "TLS_DIR", ""),
    ("usage", "TLS_DIR", ""),
    ("usage", "NOTIFICATIONS_SECRET", ""),
    ("usage", "NOTIFICATIONS_SECRET", "local-notifications-local-notifications"),
    ("usage", "NOTIFICATIONS_PUBLIC_URL", "http://llm.example.ru"),
    ("usage", "WEBHOOKS_PLAINTEXT", "true"),
    ("usage", "MAIL_HOST", ""),
    ("usage", "MAIL_TLS", "none"),
]


def environment(service: str, **changes: str) -> dict[str, str]:
    return {f"{service.upper()}_{name}": value for name, value in (GOOD[service] | changes).items()}


def loaded(service: str, given: dict[str, str]) -> BaseSettings:
    return load(settings_class(service), given)


@pytest.mark.parametrize("service", SERVICES)
def test_production_starts_with_settings_of_its_own(service):
    """With everything that it asks for, and the profile need not be named."""
    assert loaded(service, environment(service))


@pytest.mark.parametrize(("service", "name", "value"), REFUSED)
def test_production_refuses_what_is_only_good_for_a_demonstration(service, name, value):
    """One line that names the variable by its real name; the same setting is fine on one machine."""
    given = environment(service, **{name: value})

    with pytest.raises(SystemExit) as refused:
        loaded(service, given)

    lines = str(refused.value).splitlines()
    assert "production" in lines[0]
    assert [line.strip().partition(":")[0] for line in lines[1:]] == [f"{service.upper()}_{name}"]
    assert PASSWORD not in str(refused.value)
    assert loaded(service, given | {"RAZVILKA_PROFILE": "local"})


def test_the_page_of_production_names_what_is_refused():
    """Whoever prepares an installation reads there what will stop it; what tells of a provider is told in one."""
    page = (REPOSITORY / "docs" / "operations" / "production.md").read_text(encoding="utf-8")
    named = [(f"`{service.upper()}_{name}", f"`*_{name}") for service, name, _ in REFUSED]
    of_providers = ("`ROUTER_YANDEX_", "`ROUTER_GIGACHAT_")

    assert [own for own, shared in named if not (own.startswith(of_providers) or own in page or shared in page)] == []


def test_a_profile_that_does_not_exist_is_refused():
    """Nobody is less safe by a typo."""
    with pytest.raises(SystemExit, match="RAZVILKA_PROFILE=prod: must be one of local, production"):
        loaded("usage", environment("usage") | {"RAZVILKA_PROFILE": "prod"})


def test_who_did_not_name_a_profile_is_told_that_it_is_production():
    """The remedy for a developer is in the message."""
    with pytest.raises(SystemExit, match="RAZVILKA_PROFILE=local"):
        loaded("usage", environment("usage", TLS_DIR=""))


def test_a_missing_setting_is_named_as_it_must_be_written():
    """GATEWAY_REDIS is no variable; GATEWAY_REDIS_URL is."""
    with pytest.raises(SystemExit, match="GATEWAY_REDIS_URL: Field required"):
        loaded("gateway", {})


@pytest.mark.parametrize("service", SERVICES)
def test_a_mistyped_variable_stops_the_start(service):
    """For every service, and whatever else is right."""
    with pytest.raises(SystemExit, match=f"{service.upper()}_TLS_DIRR: there is no such setting"):
        loaded(service, environment(service) | {f"{service.upper()}_TLS_DIRR": "x"})


def test_every_secret_can_come_from_a_file(tmp_path):
    """Also the address of a store, which holds its password."""
    files = {}
    for name, value in environment("auth").items():
        (tmp_path / name).write_text(value + "\n")
        files[f"{name}_FILE"] = str(tmp_path / name)

    assert loaded("auth", files) == loaded("auth", environment("auth"))


@pytest.mark.parametrize("service", ["auth", "router", "usage", "gateway"])
def test_production_refuses_what_compose_sets_by_itself(service):
    """Whoever takes docker-compose.yml to a server must set secrets first."""
    compose: dict[str, Any] = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())
    listed = compose["services"][service]["environment"]
    given = {name: default_of(str(value)) for name, value in listed.items() if name in variables_of(service)}

    with pytest.raises(SystemExit, match="refused in production"):
        loaded(service, given)


def default_of(value: str) -> str:
    """Return the value when nobody sets the variables in it."""
    while "${" in value:
        before, _, rest = value.partition("${")
        named, _, after = rest.partition("}")
        value = before + named.partition(":-")[2] + after
    return value
