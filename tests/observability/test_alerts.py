"""Each fault is injected, its alarms ring at whoever is woken, its runbook mends it, and they end: `make alerts`."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.providers import Providers
from tests.observability import alerts_page
from tests.observability.correspondents import running_correspondents
from tests.observability.faults import bills, books, journal, notifications, providers, services
from tests.observability.lying_upstream import KEY_VARIABLE, running_liar
from tests.observability.receiver import Receiver, running_receiver
from tests.observability.scene import FAULTS, Fault, Scene
from tests.observability.servers import SERVICES, running_alertmanager, running_prometheus
from tests.observability.short_rules import written_to
from tools.chaos.surroundings import small_disk
from tools.servers.ports import LOOPBACK
from tools.stack.running_stack import RunningStack
from tools.stack.throwaway import running_suite
from tools.tests.runbook_text import statements

MODULES = (providers, journal, books, bills, notifications, services)
RINGS_WITHIN_S = 70.0
ENDS_WITHIN_S = 100.0
ENVIRONMENT = {
    "GATEWAY_TRUSTED_PROXIES": "127.0.0.1/32",
    "GATEWAY_OAUTH_REQUESTS_PER_MINUTE": "0",
    "AUTH_OAUTH_CLIENT_REQUESTS_PER_MINUTE": "6000",
    "AUTH_UPKEEP_CHECK_EVERY_S": "1",
    "ROUTER_CIRCUITS_OPEN_S": "2",
    "ROUTER_RELOAD_S": "0.5",
    "ROUTER_GIGACHAT_CONCURRENCY": "1",
    "ROUTER_SLOTS_PLACES": "2",
    "GATEWAY_ADMISSION_RECONCILE_EVERY_S": "1",
    "GATEWAY_PROBES_EVERY_S": "2",
    "GATEWAY_PROBES_MODELS": "gigachat-pro",
    KEY_VARIABLE: "the liar's key",
    "USAGE_ARCHIVE_AFTER_MONTHS": "3",
    "USAGE_ARCHIVE_EVERY_S": "1",
    "USAGE_INVARIANTS_EVERY_S": "1",
    "USAGE_PARTITIONS_EVERY_S": "1",
    "USAGE_MAIL_TLS": "none",
    "USAGE_POSTGRES_POOL_MAX": "2",
    "USAGE_POSTGRES_STATEMENT_TIMEOUT_S": "20",
    "USAGE_WEBHOOKS_TIMEOUT_S": "60",
}


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Return a suite of its own, with everything that is looked at rarely looked at all the time."""
    home: Path = tmp_path_factory.mktemp("suite")
    stamp = home / "backup-stamp"
    stamp.touch()
    archive = home / "archive"
    archive.mkdir()
    environment = {**ENVIRONMENT, "USAGE_BACKUP_STAMP": str(stamp), "USAGE_ARCHIVE_FOLDER": str(archive)}
    with (
        small_disk(home / "journal") as is_small,
        running_liar() as liar,
        running_correspondents() as correspondents,
        running_suite(
            home,
            {**environment, "USAGE_MAIL_HOST": LOOPBACK, "USAGE_MAIL_PORT": str(correspondents.mail.port)},
            more_upstreams=liar.entry,
        ) as suite,
    ):
        if not is_small:
            pytest.skip("no right to mount a small disk for the journal: it would have to fill yours")
        stack = RunningStack(suite.demo, suite.stack)
        yield Scene(stack, Providers(stack.emulator_url), liar, correspondents, stamp, archive)


@pytest.fixture(scope="module")
def receiver(scene: Scene, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    """Return whoever is told by an Alertmanager what a Prometheus found in the suite."""
    folder: Path = tmp_path_factory.mktemp("observability")
    targets = {service: scene.stack.metrics_url(service).split("/")[2] for service in SERVICES}
    with (
        running_receiver() as receiver,
        running_alertmanager(folder, receiver.url) as alertmanager,
        running_prometheus(folder, targets, rules=written_to(folder / "rules"), alertmanager=alertmanager) as running,
    ):
        running.wait_for_scrapes(10)
        yield receiver


@pytest.fixture(scope="module")
def page(pytestconfig: pytest.Config) -> Iterator[alerts_page.Page]:
    """Return the page of what happened; it is written when all faults had their turn in this run."""
    page = alerts_page.Page()
    yield page
    if os.environ.get("RAZVILKA_WRITE_ALERTS") and (missing := page.write()):
        said = f"\ndocs/operations/alerts.md stays as it was: this run has not seen {', '.join(missing)}"
        pytestconfig.get_terminal_writer().line(said)


def test_every_alarm_has_a_fault_that_makes_it_ring() -> None:
    """Who adds a rule adds what it is for."""
    assert {alert for fault in FAULTS for alert in fault.alerts} == set(alerts_page.alarms())


@pytest.mark.parametrize("statement", sorted({statement for _, statement in statements()}))
def test_the_database_takes_every_statement_of_a_runbook(scene: Scene, statement: str) -> None:
    """A column that was renamed is found here, and not at three in the morning."""
    scene.sql(f"PREPARE typed AS {statement.replace('(pid)', '(1)')}")


@pytest.mark.timeout(600)
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: "-".join(fault.alerts))
def test_a_fault_rings_and_ends_when_it_is_mended(
    scene: Scene, receiver: Receiver, page: alerts_page.Page, fault: Fault
) -> None:
    """Also the end is told: an alarm that goes on after the fault is soon ignored."""
    scene.meanwhile = lambda: None
    waited_for(scene, receiver, fault, ring=False, within_s=ENDS_WITHIN_S)
    happening = fault.happen(scene)

    began = time.monotonic()
    next(happening)
    try:
        rang = waited_for(scene, receiver, fault, ring=True, within_s=RINGS_WITHIN_S) - began
    finally:
        mended = time.monotonic()
        next(happening, None)
    ended = waited_for(scene, receiver, fault, ring=False, within_s=ENDS_WITHIN_S) - mended

    page.add(fault, rang_after_s=rang, ended_after_s=ended)


def waited_for(scene: Scene, receiver: Receiver, fault: Fault, *, ring: bool, within_s: float) -> float:
    """Return the moment at which all alarms of the fault ring, or none does any more."""
    give_up_at = time.monotonic() + within_s
    wanted = set(fault.alerts)
    while True:
        ringing = receiver.ringing() & wanted
        if ringing == (wanted if ring else set()):
            return time.monotonic()
        if time.monotonic() > give_up_at:
            raise TimeoutError(
                f"wanted {'ringing' if ring else 'silent'}: {sorted(wanted)}; ringing: {sorted(ringing)}"
            )
        scene.meanwhile()
        time.sleep(0.2)
