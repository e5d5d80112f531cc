"""Start the suite: stores, schemas, emulator, services, demo account. Doing it twice changes nothing."""

import asyncio
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from tools.accounts.demo import Auth, Demo, ensure_demo
from tools.accounts.probes import ensure_probe_key
from tools.certificates import ensure_certificates
from tools.private_file import write_private
from tools.servers import bootstrap, postgres, redis
from tools.servers.errors import ServerError
from tools.servers.ports import LOOPBACK
from tools.servers.postgres import SUPERUSER, PostgresServer
from tools.servers.redis import RedisServer
from tools.stack.down import bring_down
from tools.stack.environments import DATABASE, Environments
from tools.stack.errors import StackError
from tools.stack.home import REPOSITORY, Home, read_json
from tools.stack.readiness import wait_until_ready
from tools.stack.remembered import (
    GATEWAY_PORT,
    REDIS_USERS,
    redis_secret,
    remembered_ports,
    remembered_secrets,
    with_choices,
)
from tools.stack.supervision.leftovers import end_leftovers
from tools.stack.supervision.program import Program
from tools.stack.supervision.programs import EDGE, STORES, all_programs, migration_command
from tools.stack.supervision.supervisor import Supervisor

Say = Callable[[str], None]
# What Python, PostgreSQL and Redis say of a port that somebody else listens on, and what our own services say.
TAKEN: Final = ("already in use", "cannot listen on")
TRIES: Final = 3


@dataclass(frozen=True, slots=True)
class Stack:
    """A suite that is described but need not run."""

    home: Home
    supervisor: Supervisor
    postgres: PostgresServer
    redis: RedisServer
    environments: Environments
    programs: list[Program]
    ports: dict[str, str]
    secrets: dict[str, str] = field(repr=False)

    @property
    def url(self) -> str:
        """Return where clients send their requests."""
        return self.environments.url

    @property
    def auth(self) -> Auth:
        """Return the auth service, as an operator calls it."""
        return Auth(f"{LOOPBACK}:{self.ports['AUTH_GRPC_PORT']}", self.home.tls / "operator")

    def admin_dsn(self, database: str) -> str:
        """Return the superuser's DSN."""
        return self.postgres.dsn(self.secrets[SUPERUSER], database=database)


def describe(home: Home, caller: Mapping[str, str]) -> Stack:
    """Return the suite of a folder for a caller's environment; nothing is started.

    Raises:
        ServerError: something it needs is missing, taken or contradictory.
    """
    home.prepare()
    caller = with_choices(home, caller)
    supervisor = Supervisor(home)
    running = supervisor.is_running()
    if not running:
        end_leftovers(home)
    ports = remembered_ports(home, caller, running=running)
    secrets = remembered_secrets(home)
    postgres_server = postgres.prepare(home.postgres, int(ports["POSTGRES_PORT"]))
    redis_server = redis.prepare(home.redis, int(ports["REDIS_PORT"]))
    write_private(home.redis_users, redis.users_text({user: secrets[redis_secret(user)] for user in REDIS_USERS}))
    ensure_certificates(home.tls)
    environments = Environments(home, caller, ports=ports, secrets=secrets, postgres=postgres_server)
    programs = all_programs(home, caller, environments, postgres=postgres_server, redis=redis_server)
    return Stack(home, supervisor, postgres_server, redis_server, environments, programs, ports, secrets)


def describe_as_it_is(home: Home, caller: Mapping[str, str]) -> Stack:
    """Return the suite of a folder on the ports that it was brought up on: for programs that look for it.

    Raises:
        ServerError: something it needs is missing, taken or contradictory.
    """
    port = read_json(home.run / "ports.json").get(GATEWAY_PORT)
    return describe(home, {**caller, GATEWAY_PORT: port} if port else caller)


def start(home: Home, caller: Mapping[str, str], say: Say) -> tuple[Stack, Demo]:
    """Return the running suite; a port that was taken between our look and its program's start is chosen anew.

    Raises:
        ServerError: a program does not start.
    """
    tries = TRIES
    while True:
        stack, tries = describe(home, caller), tries - 1
        try:
            return stack, bring_up(stack, say)
        except ServerError as exc:
            if not tries or not any(words in str(exc) for words in TAKEN):
                raise
            # Looked at again, a port that somebody has is not chosen.
            bring_down(home)


def bring_up(stack: Stack, say: Say) -> Demo:
    """Start everything, wait until it serves, and return the demo account.

    Raises:
        ServerError: a program does not start.
    """
    say("PostgreSQL and Redis")
    start_stores(stack)
    say("database schemas")
    prepare_database(stack)
    say("services")
    for program in stack.programs:
        if STORES < program.stage <= EDGE:
            stack.supervisor.start(program.name)
    wait_until_ready(stack.home, stack.supervisor, stack.url)
    if float(stack.environments.of("gateway").get("GATEWAY_PROBES_EVERY_S", "0")):
        asyncio.run(ensure_probe_key(stack.home.probe_key, stack.auth))
    token = stack.environments.registration_token
    return asyncio.run(ensure_demo(stack.home.demo_env, auth=stack.auth, url=stack.url, registration_token=token))


def start_stores(stack: Stack) -> None:
    """Start PostgreSQL and Redis under the supervisor and wait until they answer."""
    stack.postgres.initialise(stack.secrets[SUPERUSER], durable=True)
    stack.supervisor.apply(stack.programs)
    stack.supervisor.start("postgres")
    stack.supervisor.start("redis")
    postgres.wait_until_ready(stack.admin_dsn("postgres"), process_ended=lambda: _gave_up(stack, "postgres"))
    redis.wait_until_ready(stack.environments.redis_url, process_ended=lambda: _gave_up(stack, "redis"))
    redis.load_users(stack.environments.redis_url)


def _gave_up(stack: Stack, name: str) -> bool:
    return any(process.name == name and process.state == "FATAL" for process in stack.supervisor.states())


def prepare_database(stack: Stack) -> None:
    """Make the database, its roles and schemas, and run every service's migrations.

    Raises:
        StackError: a migration failed.
    """
    make_database(stack)
    started = [(service, _start_migration(stack, service)) for service in bootstrap.SCHEMAS]
    for service, process in started:
        output = process.communicate()[0].strip().splitlines()
        if process.returncode != 0:
            raise StackError(f"the migrations of {service} failed: {output[-1] if output else 'no message'}")


def make_database(stack: Stack) -> None:
    """Make the database, its roles and empty schemas."""
    bootstrap.create_database(stack.admin_dsn("postgres"), DATABASE)
    bootstrap.bootstrap(stack.admin_dsn(DATABASE), {name: stack.secrets[name] for name in bootstrap.all_roles()})


def _start_migration(stack: Stack, service: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        migration_command(service),
        cwd=REPOSITORY,
        env=stack.environments.migrations(service),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
