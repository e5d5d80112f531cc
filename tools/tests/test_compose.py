"""docker-compose.yml agrees with the settings classes and keeps its promises."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tools.servers.redis import users_text
from tools.settings_catalog import SETTINGS, settings_of, variables_of
from tools.tests.compose_program import compose, stand_in

REPOSITORY = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
# A container's script that starts Redis calls these; what it was to start in the end is printed.
ENDS_AT_THE_SERVER = {
    "docker-entrypoint.sh": 'printf "%s\\n" "$*"; env',
    "redis-cli": "",
    "sleep": "exit 1",
    "chown": "",
}
PROGRAMS = ("auth", "router", "usage", "gateway", "emulator")


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_variable_exists_in_the_settings_class(program):
    """A typo in a name would silently leave the default."""
    assert set(SERVICES[program]["environment"]) - variables_of(program) <= {"RAZVILKA_PROFILE"}


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
    assert f"{service}@127.0.0.1:{listens}" in SERVICES[service]["healthcheck"]["test"]


def test_only_the_gateway_is_published_and_only_on_loopback():
    """Local passwords are for this machine."""
    published = {name: service["ports"] for name, service in SERVICES.items() if service.get("ports")}

    assert published == {"gateway": ["127.0.0.1:${RAZVILKA_PORT:-8080}:8080"]}
    assert SERVICES["gateway"]["environment"]["GATEWAY_PORT"] == "8080"


def test_stores_and_services_are_in_networks_without_a_way_out():
    """Only who must reach the world does; stores see no more than who needs them."""
    networks = {name: set(service["networks"]) for name, service in SERVICES.items()}

    assert COMPOSE["networks"]["services"] == COMPOSE["networks"]["stores"] == {"internal": True}
    assert {name for name in networks if "outside" in networks[name]} == {"gateway", "auth", "router"}
    assert networks["postgres"] == networks["redis"] == {"stores"}


@pytest.mark.parametrize("service", ["auth", "router", "usage", "gateway"])
def test_each_service_sees_its_own_certificate_and_no_other(service):
    """Otherwise who breaks into one would be all of them."""
    volumes = [each for each in SERVICES[service]["volumes"] if isinstance(each, dict)]

    assert [(each["target"], each["volume"], each["read_only"]) for each in volumes] == [
        (SERVICES[service]["environment"][f"{service.upper()}_TLS_DIR"], {"subpath": service}, True)
    ]


def test_redis_starts_with_the_users_that_make_up_gives_it(tmp_path):
    """The script of the container and the tools write one and the same file from one template."""
    passwords = {"gateway": "g w", "auth": "a'$(x)", "router": "r/&", "operator": "o"}
    environment = {f"{user.upper()}_REDIS_PASSWORD": password for user, password in passwords.items()}

    done = started_redis(tmp_path, uid=0, **environment)

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "users.acl").read_text() == users_text(passwords)
    assert (tmp_path / "users.acl").stat().st_mode & 0o777 == 0o600
    assert f"--aclfile {tmp_path / 'users.acl'}" in done.stdout
    assert "_REDIS_PASSWORD" not in done.stdout


def started_redis(folder: Path, *, uid: int, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the container's script as a user up to the server, which prints how it is started."""
    stand_in(folder, ENDS_AT_THE_SERVER | {"id": f"echo {uid}"})
    script, template = REPOSITORY / "deploy/redis/start.sh", REPOSITORY / "deploy/redis/users.acl"
    command: list[str | Path] = ["sh", script, template, folder / "users.acl"]
    return subprocess.run(
        command, env={"PATH": f"{folder}:/usr/bin:/bin"} | environment, capture_output=True, text=True, check=False
    )


def test_redis_reads_passwords_from_files_and_speaks_nothing_but_tls(tmp_path):
    """As the small production starts it: no port without TLS, no password in the process."""
    passwords = {"gateway": "g w", "auth": "a'$(x)", "router": "r/&", "operator": "o"}
    for user, password in passwords.items():
        (tmp_path / user).write_text(f"{password}\n")

    done = started_redis(tmp_path, uid=10001, REDIS_SECRETS_DIR=str(tmp_path), REDIS_TLS_DIR="/etc/razvilka/tls")

    assert done.returncode == 0
    assert (tmp_path / "users.acl").read_text() == users_text(passwords)
    assert "--port 0 --tls-port 6379" in done.stdout
    assert "--tls-key-file /etc/razvilka/tls/tls.key" in done.stdout
    assert "_REDIS_PASSWORD" not in done.stdout


def test_redis_refuses_what_is_new_before_its_container_is_killed(tmp_path):
    """Nothing is evicted; a quarter of the limit is left for what a rewrite of its file takes beside."""
    redis = yaml.safe_load((REPOSITORY / "deploy/compose/stores.yml").read_text())["services"]["redis"]
    most = redis["environment"]["REDIS_MAXMEMORY"]
    passwords = {f"{user.upper()}_REDIS_PASSWORD": user for user in ("gateway", "auth", "router", "operator")}

    done = started_redis(tmp_path, uid=10001, REDIS_MAXMEMORY=most, REDIS_TLS_DIR="/etc/razvilka/tls", **passwords)

    assert f"--maxmemory {most} --maxmemory-policy noeviction --port 0 --tls-port 6379" in done.stdout
    assert int(most.removesuffix("mb")) * 4 <= int(redis["mem_limit"].removesuffix("m")) * 3


def test_redis_without_the_password_of_a_user_is_refused_in_one_line(tmp_path):
    """The file that is missing, and whose password it is."""
    done = started_redis(tmp_path, uid=10001, REDIS_SECRETS_DIR=str(tmp_path))

    assert done.returncode == 1
    assert done.stderr == f"start.sh: {tmp_path}/gateway is missing: the password of gateway\n"


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
    done = compose(REPOSITORY, "config", "-q")

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("program", ["auth", "router", "usage", "gateway"])
def test_every_setting_of_a_program_can_be_given_in_its_own_file(program, tmp_path):
    """And reaches no other one: what one program may know is not another one's."""
    fixed = set(SERVICES[program]["environment"])
    given = {each.variable: f"given-{each.variable}" for each in settings_of(program) if each.variable not in fixed}
    (tmp_path / f".env.{program}").write_text("".join(f"{name}={value}\n" for name, value in given.items()))

    shown = compose(REPOSITORY, "config", "--format", "json", RAZVILKA_ENV_DIR=str(tmp_path))

    assert shown.returncode == 0, shown.stderr
    seen = {name: each.get("environment") or {} for name, each in json.loads(shown.stdout)["services"].items()}
    assert len(given) > 20
    assert given.items() <= seen[program].items()
    assert [name for name in seen if name != program and given.keys() & seen[name].keys()] == []


def test_the_image_holds_only_what_the_programs_need():
    """The runtime's packages are a part of the developer's, with the same versions."""
    pinned = set(_pins("requirements-runtime.lock"))

    assert pinned
    assert pinned <= set(_pins("requirements.lock"))


def _pins(lock: str) -> list[str]:
    lines = (REPOSITORY / lock).read_text().splitlines()
    return [line.split(" ")[0] for line in lines if line and not line.startswith((" ", "#"))]
