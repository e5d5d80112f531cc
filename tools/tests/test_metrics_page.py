"""The page of metrics: each has a question, and no question is without a metric."""

from __future__ import annotations

import re
import tomllib

import pytest

from tools.metrics_page import FILE, QUESTIONS, question_of

ASKED = tomllib.loads(QUESTIONS.read_text())


def test_the_longest_beginning_counts() -> None:
    """A group of metrics shares a question; one of them may have its own."""
    questions = {"razvilka_x": "the group's?", "razvilka_x_queue": "its own?"}

    assert question_of("razvilka_x_queue_seconds", questions) == "its own?"
    assert question_of("razvilka_x_seconds", questions) == "the group's?"


def test_a_metric_that_answers_nothing_is_refused_by_name() -> None:
    """Whoever adds one says first what it is for."""
    with pytest.raises(SystemExit, match="razvilka_new_total answers no question"):
        question_of("razvilka_new_total", ASKED)


def test_no_label_is_one_that_prometheus_gives_itself() -> None:
    """It would rename ours to exported_job, and an alarm that asks for it would never ring."""
    labels = re.findall(r"^\| `razvilka_\w+` \| \w+ \| ([^|]*) \|", FILE.read_text(), re.MULTILINE)
    ours = {label for cell in labels for label in re.findall(r"`(\w+)`", cell)}

    assert ours
    assert ours.isdisjoint({"job", "instance", "le", "quantile"})


def test_every_question_is_answered() -> None:
    """A question whose metric is gone would be asked for ever."""
    names = re.findall(r"^\| `(razvilka_\w+)`", FILE.read_text(), re.MULTILINE)
    answered = {max((begin for begin in ASKED if name.startswith(begin)), key=len) for name in names}

    assert answered == set(ASKED)
    assert all(question.endswith("?") for question in ASKED.values())
