"""The Job and the container of the move are valid, locked down, and give commands that the tool knows."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import kubernetes_validate
import pytest
import yaml

from migrate.__main__ import VERBS
from migrate.moving.target import AUTH, USAGE
from migrate.planning.scratch import SCRATCH
from migrate.proving.verifier import TARGET, TLS_DIR
from tools.tests.test_kubernetes import BASE, KUBERNETES, documents, program

COMPOSE: Final[dict[str, Any]] = yaml.safe_load((Path(__file__).parents[2] / "docker-compose.yml").read_text())
# What a database that was away is told by.
RETRIED: Final = 4


def test_the_job_is_valid_and_as_locked_down_as_every_pod() -> None:
    """It may reach PostgreSQL by the policy of migrations, and nothing else."""
    [job] = documents((BASE.parent / "jobs" / "migrate-1.0.yaml").read_text())
    kubernetes_validate.validate(job, KUBERNETES, strict=True)
    pod = job["spec"]["template"]["spec"]
    policies = {each["metadata"]["name"]: each["spec"] for each in documents((BASE / "network.yaml").read_text())}
    chosen = policies["migrations"]["podSelector"]["matchLabels"]

    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["automountServiceAccountToken"] is False
    assert pod["containers"][0]["securityContext"]["readOnlyRootFilesystem"] is True
    assert pod["containers"][0]["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert chosen.items() <= job["spec"]["template"]["metadata"]["labels"].items()


def test_the_job_runs_a_verb_with_the_services_own_databases() -> None:
    """And is tried again where the same command goes on, which is what status 4 says."""
    [job] = documents((BASE.parent / "jobs" / "migrate-1.0.yaml").read_text())
    container = job["spec"]["template"]["spec"]["containers"][0]
    given = {each["name"]: each["valueFrom"] for each in container["env"]}
    [rule] = job["spec"]["podFailurePolicy"]["rules"]

    assert container["args"][:4] == ["python", "-m", "migrate", "run"]
    for service, name in (("auth", AUTH), ("usage", USAGE)):
        [own] = [each["valueFrom"] for each in program(service)["env"] if each["name"] == name]
        assert given[name] == own
    assert RETRIED not in rule["onExitCodes"]["values"]


def test_the_container_has_what_every_verb_asks_for() -> None:
    """Databases, a server for the trial, the running auth with the operator's certificate."""
    service = COMPOSE["services"]["migrate"]

    assert service["environment"].keys() == {AUTH, USAGE, SCRATCH, TARGET, TLS_DIR}
    for other, name in (("auth", AUTH), ("usage", USAGE)):
        assert service["environment"][name] == COMPOSE["services"][other]["environment"][name]
    assert service["environment"][TARGET] == COMPOSE["services"]["gateway"]["environment"]["GATEWAY_AUTH_TARGET"]
    assert service["entrypoint"] == ["python", "-m", "migrate"]
    assert service["profiles"] == ["migrate"]


@pytest.mark.parametrize("page", ["containers.md", "containers.ru.md"])
def test_the_page_gives_commands_of_verbs_that_there_are(page: str) -> None:
    """Each after the name of the container."""
    text = (Path(__file__).parents[2] / "docs" / "migration" / page).read_text()
    given = {line.split("run --rm migrate ")[1].split()[0] for line in text.splitlines() if "run --rm migrate " in line}

    assert given - {verb.name for verb in VERBS} == set()
    assert len(given) > 4
