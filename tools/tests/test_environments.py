"""Which settings each program of the suite gets."""

from pathlib import Path

import pytest

from services.router.providers.registry import BUILT_IN
from tools.servers.bootstrap import all_roles
from tools.servers.demotion import Demotion
from tools.servers.postgres import PostgresServer
from tools.settings_catalog import SETTINGS, variables_of
from tools.stack.environments import PREFIXES, Environments, uses_emulator
from tools.stack.errors import StackError
from tools.stack.home import Home
from tools.stack.remembered import AUTH_SECRETS, GATEWAY_PORT, PORT_VARIABLES, REDIS_USERS, USAGE_SECRETS, redis_secret

PORTS = {name: str(20000 + number) for number, name in enumerate((*PORT_VARIABLES, GATEWAY_PORT))}
SECRETS = {
    name: f"secret-{name}"
    for name in (*all_roles(), "postgres", *map(redis_secret, REDIS_USERS), *AUTH_SECRETS, *USAGE_SECRETS)
}


def environments(caller: dict[str, str] | None = None) -> Environments:
    postgres = PostgresServer(Path("/bin"), Path("/data"), int(PORTS["POSTGRES_PORT"]), Demotion())
    return Environments(Home(Path("/home")), caller or {}, ports=PORTS, secrets=SECRETS, postgres=postgres)


@pytest.mark.parametrize("program", SETTINGS)
def test_every_variable_exists_in_the_settings_class(program):
    """A renamed setting cannot be forgotten here."""
    given = {name for name in environments().of(program) if name.startswith(PREFIXES[program])}

    assert given - variables_of(program) == set()


def test_the_callers_settings_win():
    """Every setting of every service can be given by its environment variable."""
    made = environments({"GATEWAY_AUTH_TARGET": "elsewhere:1", "GATEWAY_LIMIT_BODY_MB": "3"}).of("gateway")

    assert made["GATEWAY_AUTH_TARGET"] == "elsewhere:1"
    assert made["GATEWAY_LIMIT_BODY_MB"] == "3"
    assert made["GATEWAY_ROUTER_TARGET"] == f"127.0.0.1:{PORTS['ROUTER_GRPC_PORT']}"


@pytest.mark.parametrize(
    ("caller", "every_s"),
    [
        ({}, None),
        ({"RAZVILKA_PROBE_EVERY_S": "300"}, "300"),
        ({"RAZVILKA_PROBE_EVERY_S": "300", "YC_API_KEY": "k", "YC_FOLDER_ID": "f"}, None),
        ({"RAZVILKA_PROBE_EVERY_S": "300", "GATEWAY_PROBES_EVERY_S": "60"}, "60"),
    ],
)
def test_versions_are_probed_unasked_only_where_it_costs_nothing(caller, every_s):
    """A real provider is asked by the gateway itself only when somebody has said so."""
    assert environments(caller).of("gateway").get("GATEWAY_PROBES_EVERY_S") == every_s


def test_the_emulator_plays_both_providers_by_default():
    """Without credentials nothing leaves the machine."""
    router = environments().of("router")

    assert router["ROUTER_YANDEX_BASE_URL"] == f"http://127.0.0.1:{PORTS['EMULATOR_YANDEX_PORT']}"
    assert router["ROUTER_GIGACHAT_BASE_URL"] == f"http://127.0.0.1:{PORTS['EMULATOR_GIGACHAT_PORT']}/v1"
    assert uses_emulator({})


def test_only_an_emulated_gigachat_can_be_broken():
    """The console has the emulator's control as long as it plays GigaChat, and no longer."""
    played, real = environments(), environments({"GIGACHAT_CREDENTIALS": "bWluZQ=="})

    control = f"http://127.0.0.1:{PORTS['EMULATOR_CONTROL_PORT']}"
    assert played.of("gateway")["GATEWAY_EMULATOR_CONTROL_URL"] == control
    assert "GATEWAY_EMULATOR_CONTROL_URL" not in real.of("gateway")


def test_yandex_credentials_make_that_provider_the_real_one():
    """The emulator stands aside for it, and for it only."""
    caller = {"YC_API_KEY": "AQVN-mine", "YC_FOLDER_ID": "b1gmine"}

    router = environments(caller).of("router")

    assert router["ROUTER_YANDEX_API_KEY"] == "AQVN-mine"
    assert router["ROUTER_YANDEX_FOLDER_ID"] == "b1gmine"
    assert "ROUTER_YANDEX_BASE_URL" not in router
    assert "127.0.0.1" in router["ROUTER_GIGACHAT_BASE_URL"]
    assert uses_emulator(caller)


def test_gigachat_credentials_scope_and_addresses_are_passed_on():
    """All of the provider's switches reach the router."""
    caller = {
        "GIGACHAT_CREDENTIALS": "bWluZQ==",
        "GIGACHAT_SCOPE": "GIGACHAT_API_B2B",
        "GIGACHAT_BASE_URL": "https://example.com/v1",
        "GIGACHAT_AUTH_URL": "https://example.com/oauth",
        "GIGACHAT_CA_BUNDLE": "/ca.pem",
    }

    router = environments(caller).of("router")

    for name, value in caller.items():
        assert router[f"ROUTER_{name}"] == value


def test_real_providers_alone_need_no_emulator():
    """Nobody is left to play, whichever credentials are given."""
    for way in range(max(len(row.access.needed) for row in BUILT_IN)):
        ways = [row.access.needed[min(way, len(row.access.needed) - 1)] for row in BUILT_IN]
        assert not uses_emulator({name: "x" for names in ways for name in names})
    assert not uses_emulator({name: "x" for row in BUILT_IN for name in row.access.needed[0]})


@pytest.mark.parametrize("half", [{"YC_API_KEY": "k"}, {"YC_FOLDER_ID": "f"}], ids=["key", "folder"])
def test_half_of_the_yandex_credentials_is_refused(half):
    """A key without its folder would fail at the first request; say it now."""
    with pytest.raises(StackError, match=r"YC_API_KEY and YC_FOLDER_ID.* belong together"):
        environments(half).of("router")


def test_a_service_accounts_key_makes_yandex_the_real_one():
    """The emulator's demo key does not stand in its way; `YC_METADATA=false` makes nothing real."""
    given = {"YC_SERVICE_ACCOUNT_KEY_FILE": "/key.json", "YC_FOLDER_ID": "b1g"}
    router = environments(given).of("router")

    assert router["ROUTER_YANDEX_SERVICE_ACCOUNT_KEY_FILE"] == "/key.json"
    assert not {"ROUTER_YANDEX_API_KEY", "ROUTER_YANDEX_BASE_URL"} & set(router)
    assert "ROUTER_YANDEX_BASE_URL" not in environments({"YC_METADATA": "true", "YC_FOLDER_ID": "b1g"}).of("router")
    with pytest.raises(StackError, match="YC_METADATA and YC_FOLDER_ID"):
        environments({"YC_METADATA": "false", "YC_FOLDER_ID": "b1g"}).of("router")


def test_an_upstreams_file_that_is_missing_is_refused():
    """A wrong path is named, not passed on."""
    with pytest.raises(StackError, match="there is no such file"):
        environments({"RAZVILKA_UPSTREAMS": "/nowhere.yaml"}).of("router")


def test_upstream_keys_reach_only_the_router(tmp_path):
    """The configuration file names the variable; other services have no business with it."""
    file = tmp_path / "upstreams.yaml"
    file.touch()
    made = environments({"RAZVILKA_UPSTREAMS": str(file), "MY_UPSTREAM_KEY": "sk-mine", "YC_API_KEY": "k",
                         "YC_FOLDER_ID": "f"})  # fmt: skip

    router, gateway = made.of("router"), made.of("gateway")

    assert router["ROUTER_UPSTREAMS_FILE"] == str(file)
    assert router["MY_UPSTREAM_KEY"] == "sk-mine"
    assert {"MY_UPSTREAM_KEY", "YC_API_KEY"}.isdisjoint(gateway)


def test_a_service_knows_only_its_own_password():
    """The running service cannot log in as the schema's owner or as another service."""
    made = environments()

    for service in ("auth", "router", "usage"):
        values = " ".join(made.of(service).values())
        assert f"razvilka_{service}:" in values
        assert "_owner" not in values
    assert "razvilka_auth_owner:" in made.migrations("auth")["AUTH_MIGRATIONS_DSN"]


def test_a_collector_is_every_services_collector():
    """OTEL_EXPORTER_OTLP_ENDPOINT, known from elsewhere, is enough."""
    made = environments({"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4317"})

    for service in ("auth", "router", "usage", "gateway"):
        assert made.of(service)[f"{service.upper()}_TELEMETRY_OTLP_ENDPOINT"] == "collector:4317"
