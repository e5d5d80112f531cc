"""Faults of bills: what a provider claims, and what the usage service refuses."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.integration.waiting import wait_until
from tests.observability.faults.journal import journal_of
from tests.observability.load import ask
from tests.observability.lying_upstream import CHATTY, CLAIMING, PROVIDER
from tests.observability.scene import Scene, fault
from tools.stack.home import REPOSITORY


def ask_liar(scene: Scene) -> None:
    answer = ask(scene.stack, CLAIMING)
    assert answer.status_code == 200, answer.text


def journal_command(scene: Scene, *words: str) -> None:
    environment = scene.stack.parts.environments.of("gateway")
    subprocess.run([sys.executable, "-m", "tools.journal", *words], cwd=REPOSITORY, env=environment, check=True)


@fault("BillsDisputed", done="a provider claims a billion tokens for a question", mended="it counts as it should")
def a_provider_claims_too_much(scene: Scene) -> Iterator[None]:
    for _ in range(8):
        ask_liar(scene)
    scene.meanwhile = lambda: ask_liar(scene)
    yield
    scene.meanwhile = lambda: scene.ask("yandexgpt-lite")


@fault(
    "BillsAboveTheirHold",
    done="a provider takes no notice of max_tokens, and bills what it says",
    mended="it is drained until it takes notice",
)
def a_provider_says_too_much(scene: Scene) -> Iterator[None]:
    scene.liar.heeds_max_tokens = False
    scene.meanwhile = lambda: ask(scene.stack, CHATTY, max_tokens=10)
    yield
    scene.order(f"providers/{PROVIDER}/drain", {"reason": "it takes no notice of max_tokens"})
    scene.liar.heeds_max_tokens = True
    scene.order(f"providers/{PROVIDER}/undrain", {})


@fault(
    "Unbilled",
    done="a release is deployed whose gateway fails when it counts tokens",
    mended="that release is taken back",
)
def a_faulty_release(scene: Scene) -> Iterator[None]:
    with scene.deployed("gateway", folder=faulty_release(scene)):
        scene.meanwhile = lambda: scene.ask("yandexgpt-lite")
        yield


def faulty_release(scene: Scene) -> Path:
    """Return a folder of our own source with one fault."""
    release = scene.archive.with_name("release")
    ignored = shutil.ignore_patterns("tests", "__pycache__")
    shutil.copytree(REPOSITORY / "services", release / "services", ignore=ignored, dirs_exist_ok=True)
    file = release / "services" / "gateway" / "metering" / "settle.py"
    sound, faulty = "return claimed if type(claimed)", "return claimed // 0 if type(claimed)"
    assert sound in file.read_text()
    file.write_text(file.read_text().replace(sound, faulty))
    return release


@fault(
    "RecordsContradict",
    done="a file of dead letters is copied, the copy edited, and both are replayed",
    mended="nobody does it again; the first is kept",
)
def an_edited_copy_is_replayed(scene: Scene) -> Iterator[None]:
    letters = journal_of(scene) / "dead-letters.jsonl"
    before = len(letters.read_text().splitlines()) if letters.exists() else 0
    with rows_refused(scene):
        assert scene.ask("yandexgpt-lite") == 200
        wait_until(lambda: letters.exists() and len(letters.read_text().splitlines()) > before)
    journal_command(scene, "replay", str(letters))
    copy = scene.archive.with_name("copied-letters.jsonl")
    copy.write_text(edited(letters.read_text().splitlines()[-1]) + "\n")
    journal_command(scene, "replay", str(copy))
    yield


def edited(line: str) -> str:
    """Return a dead letter that says of the same request that it cost something else."""
    letter = json.loads(line)
    letter["record"]["tokens_output"] += 1
    letter["record"]["cost_micro_rub"] += 100
    return json.dumps(letter)


@contextmanager
def rows_refused(scene: Scene) -> Iterator[None]:
    """Let the table of usage refuse rows of one model."""
    scene.sql("ALTER TABLE usage.usage ADD CONSTRAINT by_hand CHECK (model NOT LIKE 'yandexgpt-lite%') NOT VALID")
    try:
        yield
    finally:
        scene.sql("ALTER TABLE usage.usage DROP CONSTRAINT by_hand")


@fault(
    "DeadLetters",
    "MoneyBurnsFast",
    "MoneyBurnsSlowly",
    done="somebody adds a rule to the table of usage that rows of one model break",
    mended="the rule is dropped, and the dead letters are replayed",
)
def some_rows_are_refused(scene: Scene) -> Iterator[None]:
    with rows_refused(scene):
        scene.meanwhile = lambda: scene.ask("yandexgpt-lite")
        yield
    journal_command(scene, "replay", str(journal_of(scene) / "dead-letters.jsonl"))
