"""What docs/operations tell an operator to type at a cluster names what is there, in its namespace, more than once."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

REPOSITORY: Final = Path(__file__).parents[2]
MANIFESTS: Final = REPOSITORY / "deploy" / "k8s"
PAGES: Final = sorted((REPOSITORY / "docs" / "operations").rglob("*.md"))
SED: Final = re.compile(
    r"^#? *(sed \S+ deploy/k8s/jobs/ship-journals\.yaml) \| kubectl apply -n razvilka -f -$", re.MULTILINE
)
KUBECTL: Final = re.compile(r"\bkubectl ((?:-n razvilka )?(?:get|logs|delete|port-forward|apply)\b[^`|#&]*)")


def documents(text: str) -> list[dict[str, Any]]:
    return [document for document in yaml.safe_load_all(text) if document]


def of_kind(kind: str) -> dict[str, dict[str, Any]]:
    files = (file.read_text() for file in MANIFESTS.rglob("*.yaml"))
    return {each["metadata"]["name"]: each for text in files for each in documents(text) if each.get("kind") == kind}


def page(name: str) -> str:
    return (REPOSITORY / "docs" / "operations" / name).read_text()


@pytest.mark.parametrize("text", [page("journal.md"), (MANIFESTS / "jobs" / "ship-journals.yaml").read_text()])
def test_each_volume_of_journals_is_shipped_by_a_job_of_its_own(text: str) -> None:
    """A second volume was refused for a day: the claim of a Job that is there cannot be changed."""
    [command] = SED.findall(text)
    made = subprocess.run(command.split(), cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout

    [job] = documents(made)
    claims = [
        each["persistentVolumeClaim"]["claimName"]
        for each in job["spec"]["template"]["spec"]["volumes"]
        if "persistentVolumeClaim" in each
    ]

    assert claims == ["journal-gateway-7"]
    assert job["metadata"]["name"] == "ship-journal-gateway-7"
    assert f"job/{job['metadata']['name']}" in page("journal.md")


def test_the_jobs_that_are_deleted_before_a_release_are_its_migrations() -> None:
    """By the label of all, a running move from 1.0 and the shipping of journals went with them."""
    [named] = re.findall(r"`kubectl delete job -n razvilka\s+--ignore-not-found ([^`]+)`", page("kubernetes.md"))

    migrations = {name for name in of_kind("Job") if name.endswith("-migrate")}
    assert set(named.split()) == migrations


def test_every_command_for_a_cluster_says_in_which_namespace() -> None:
    """Typed as it stands it would find nothing, or somebody else's."""
    commands = [
        (path.name, command) for path in PAGES for command in KUBECTL.findall(" ".join(path.read_text().split()))
    ]
    # Both carry their own.
    carried = ("apply -k ", "apply -f deploy/k8s/base/namespace.yaml")

    assert len(commands) > 5
    assert [each for each in commands if "-n razvilka" not in each[1] and not each[1].startswith(carried)] == []


def test_the_authority_keeps_its_key_when_it_is_renewed() -> None:
    """Else services that got a certificate of the new one and services that did not yet refuse each other for days."""
    authorities = [each["spec"] for each in of_kind("Certificate").values() if each["spec"].get("isCA")]

    assert [each["privateKey"]["rotationPolicy"] for each in authorities] == ["Never"]


def test_changed_settings_are_followed_by_a_restart_of_each_program() -> None:
    """`kubectl apply -k` changed the ConfigMap and no pod: what was set counted for whichever started next."""
    [named] = re.findall(r"^kubectl -n razvilka rollout restart (.*)$", page("kubernetes.md"), re.MULTILINE)
    programs = {f"{kind.lower()}/{name}" for kind in ("Deployment", "StatefulSet") for name in of_kind(kind)}

    assert set(named.split()) == {each for each in programs if not each.endswith("/any")}
