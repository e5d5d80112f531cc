"""Faults of bills: what a provider claims, and what the usage service refuses."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

from tests.observability.faults.journal import journal_of
from tests.observability.load import ask
from tests.observability.lying_upstream import MODEL
from tests.observability.scene import Scene, fault
from tools.stack.home import REPOSITORY


def ask_liar(scene: Scene) -> None:
    answer = ask(scene.stack, MODEL)
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
    "DeadLetters",
    "MoneyBurnsFast",
    "MoneyBurnsSlowly",
    done="somebody adds a rule to the table of usage that rows of one model break",
    mended="the rule is dropped, and the dead letters are replayed",
)
def rows_are_refused(scene: Scene) -> Iterator[None]:
    scene.sql("ALTER TABLE usage.usage ADD CONSTRAINT by_hand CHECK (model NOT LIKE 'yandexgpt-lite%') NOT VALID")
    scene.meanwhile = lambda: scene.ask("yandexgpt-lite")
    yield
    scene.sql("ALTER TABLE usage.usage DROP CONSTRAINT by_hand")
    journal_command(scene, "replay", str(journal_of(scene) / "dead-letters.jsonl"))
