"""Faults of processes, of stores, and of who tries to be somebody else."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from tests.integration.waiting import wait_until
from tests.oauth_kit.house import House
from tests.observability.faults.journal import begin_a_slow_answer
from tests.observability.load import log_in_wrongly
from tests.observability.scene import Scene, fault
from tools.certificates import reissue_certificates
from tools.chaos.surroundings import clock_environment
from tools.stack.environments import DATABASE

GUESSERS = 8


@fault("ServiceDown", done="the router is stopped", mended="it is started")
def the_router_is_gone(scene: Scene) -> Iterator[None]:
    scene.stack.stop("router")
    yield
    scene.stack.start("router")
    scene.stack.wait_until_ready()


@fault("ServiceNotReady", done="PostgreSQL is stopped", mended="it is started")
def postgresql_is_gone(scene: Scene) -> Iterator[None]:
    scene.stack.stop("postgres")
    yield
    scene.stack.start("postgres")
    scene.stack.wait_until_ready()


@fault(
    "EventLoopLate",
    done="the router gets no CPU for four tenths of every second",
    mended="it gets its CPU back",
)
def a_starved_router(scene: Scene) -> Iterator[None]:
    enough = threading.Event()
    pid = scene.stack.pid("router")

    def starve() -> None:
        while not enough.wait(0.6):
            os.kill(pid, signal.SIGSTOP)
            time.sleep(0.4)
            os.kill(pid, signal.SIGCONT)

    starving = threading.Thread(target=starve)
    starving.start()
    yield
    enough.set()
    starving.join()


@fault(
    "ClockOff",
    done="a gateway's clock runs four seconds ahead",
    mended="it is set right; nothing is restarted",
)
def a_clock_is_wrong(scene: Scene) -> Iterator[None]:
    clock = scene.archive.with_name("clock")
    moved = clock_environment(clock)
    if not moved:
        pytest.skip("libfaketime is missing: Debian's package faketime has it")
    with scene.deployed("gateway", environment=moved):
        clock.write_text("+4s\n")
        yield
        clock.write_text("+0\n")
        wait_until(lambda: offsets_of(scene) and all(abs(offset) < 0.1 for offset in offsets_of(scene)))


def offsets_of(scene: Scene) -> list[float]:
    """Return how far the gateway's clock is ahead of each other one, in seconds."""
    found = re.findall(r"^razvilka_gateway_clock_offset_seconds\{.*\} (\S+)$", scene.metrics("gateway"), re.MULTILINE)
    return [float(each) for each in found]


@fault(
    "ConnectionsSpent",
    done="somebody's session holds a lock that usage needs, and usage's connections wait for it",
    mended="the session is ended",
)
def a_lock_is_held(scene: Scene) -> Iterator[None]:
    let_go, held = threading.Event(), threading.Event()

    async def hold() -> None:
        connection = await asyncpg.connect(scene.stack.parts.admin_dsn(DATABASE))
        async with connection.transaction():
            await connection.execute("LOCK TABLE usage.usage IN ACCESS EXCLUSIVE MODE")
            held.set()
            await asyncio.to_thread(let_go.wait)
        await connection.close()

    holding = threading.Thread(target=lambda: asyncio.run(hold()))
    holding.start()
    held.wait()
    scene.meanwhile = lambda: scene.ask("yandexgpt-lite")
    yield
    let_go.set()
    holding.join()


@fault(
    "CertificateEnds",
    "CertificateEndsNow",
    done="the services' certificates were made 29 days ago",
    mended="new ones are made; nothing is restarted",
)
def certificates_end(scene: Scene) -> Iterator[None]:
    tls = scene.stack.parts.home.tls
    reissue_certificates(tls, datetime.now(UTC) - timedelta(days=29))
    scene.meanwhile = lambda: scene.ask("yandexgpt-lite")
    yield
    reissue_certificates(tls)


@fault(
    "LimitsDegraded",
    "SlotsAlone",
    "RevocationsNotHeard",
    "RevocationsLate",
    "BudgetsDegraded",
    done="Redis is stopped while an answer is made, and a key is revoked meanwhile",
    mended="Redis is started",
)
def redis_is_lost(scene: Scene) -> Iterator[None]:
    key = scene.stack.issue_key()
    asking = begin_a_slow_answer(scene)
    scene.stack.stop("redis")
    scene.stack.revoke_key(key)
    scene.meanwhile = lambda: (scene.ask("yandexgpt-lite"), scene.ask("gigachat-max"))
    yield
    asking.join()
    scene.stack.start("redis")


@fault(
    "RefreshTokenReused",
    done="a copied refresh token is presented again and again",
    mended="nobody does: the grant has ended",
)
def a_token_is_copied(scene: Scene) -> Iterator[None]:
    house = House(scene.stack)
    person, application = house.new_person(), house.public()
    stolen = []
    with house.browser(person) as browser:
        for _ in range(8):
            first = application.tokens(browser, person)["refresh_token"]
            application.refresh(application.refresh(first).json()["refresh_token"])
            stolen.append(first)
    for token in stolen:
        application.refresh(token)
    yield


@fault("LoginGuessing", done="somebody tries passwords of one account", mended="he is stopped")
def somebody_guesses(scene: Scene) -> Iterator[None]:
    house = House(scene.stack)
    person = house.new_person()

    def guess(_: int) -> None:
        log_in_wrongly(house, person)

    def guess_often() -> None:
        with ThreadPoolExecutor(GUESSERS) as pool:
            list(pool.map(guess, range(40)))

    scene.meanwhile = guess_often
    yield
    scene.meanwhile = lambda: None


@fault(
    "KeysUnverifiable",
    done="a key is hashed with a pepper that auth was not given",
    mended="auth is given the pepper back",
)
def a_pepper_is_lost(scene: Scene) -> Iterator[None]:
    key_id = scene.stack.new_account().key_id
    ((pepper,),) = scene.stack.query("SELECT pepper_id FROM auth.api_keys WHERE id::text = $1", key_id)
    scene.sql(f"UPDATE auth.api_keys SET pepper_id = 'gone' WHERE id::text = '{key_id}'")
    yield
    scene.sql(f"UPDATE auth.api_keys SET pepper_id = '{pepper}' WHERE id::text = '{key_id}'")


@fault(
    "AuditChainBroken",
    done="a row of the audit log is changed by a superuser",
    mended="the row is restored, and auth checks from the beginning",
)
def a_row_is_changed(scene: Scene) -> Iterator[None]:
    scene.sql("SET session_replication_role = replica", "UPDATE auth.audit_log SET actor = actor || 'x' WHERE seq = 1")
    scene.stack.kill("auth")
    yield
    undo = "UPDATE auth.audit_log SET actor = left(actor, -1) WHERE seq = 1"
    scene.sql("SET session_replication_role = replica", undo)
    scene.stack.kill("auth")
    scene.stack.wait_until_ready()
