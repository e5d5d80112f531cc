"""What an installation brings along (stores, authorities, secrets, zones) has a place in the manifests."""

from __future__ import annotations

from typing import Any

import pytest

from tools.chart.source import KUSTOMIZE, documents
from tools.tests.manifests import BUILDS, containers, needs_kubectl, of_kind, pods, references, selects

SERVICES = ("auth", "router", "usage", "gateway")
JOBS = ("jobs/ship-journals.yaml", "jobs/migrate-1.0.yaml")
STORES = ("_DSN", "_REDIS_URL")
# Their own ports; where Yandex Cloud's listen: PostgreSQL behind its pooler, Redis by TLS.
POSTGRES_PORTS = {5432, 6432}
REDIS_PORTS = {6379, 6380, 26379}

pytestmark = needs_kubectl


def mounted(pod: dict[str, Any], container: dict[str, Any]) -> dict[str, Any]:
    """Return the volumes that a container sees, by the folder."""
    volumes = {each["name"]: each for each in pod["spec"].get("volumes", [])}
    return {each["mountPath"]: volumes.get(each["name"]) for each in container.get("volumeMounts", [])}


def check_authorities(pod: dict[str, Any]) -> None:
    for each in containers(pod):
        assert [variable["name"] for variable in each["env"] if variable["name"].endswith(STORES)]
        source = mounted(pod, each)["/etc/razvilka/authorities"]["configMap"]
        assert source == {"name": "razvilka-authorities", "optional": True}


@pytest.mark.parametrize("name", BUILDS)
def test_who_reaches_a_store_can_be_given_its_authority(name: str) -> None:
    """Production wants verify-full: no managed PostgreSQL could be reached, and least of all by the migrations."""
    assert len(pods(name)) == 7
    for pod in pods(name).values():
        check_authorities(pod)


@pytest.mark.parametrize("file", JOBS)
def test_jobs_that_are_sent_by_hand_are_given_it_too(file: str) -> None:
    """They read the same addresses and settings."""
    [job] = documents((KUSTOMIZE / file).read_text())
    check_authorities(job["spec"]["template"])


@pytest.mark.parametrize("name", BUILDS)
@pytest.mark.parametrize("service", SERVICES)
def test_a_secret_that_only_some_have_needs_no_configmap(name: str, service: str) -> None:
    """The mail server's password, earlier peppers, a bot's token, a file of a key: none had a place in a Secret."""
    pod = pods(name)[service]
    [program] = pod["spec"]["containers"]
    [source] = references(program["envFrom"], "secretRef")
    files = mounted(pod, program)["/etc/razvilka/files"]["secret"]

    given = "razvilka-providers" if service == "router" else f"razvilka-{service}-settings"
    assert source == {"name": given, "optional": True}
    assert (files["secretName"], files["optional"]) == (f"razvilka-{service}-files", True)


@pytest.mark.parametrize("name", BUILDS)
def test_a_managed_store_is_reached_where_it_listens(name: str) -> None:
    """Everything waited for ever for a PostgreSQL at 6432, and for a Redis whose TLS is at 6380."""
    for owner, pod in pods(name).items():
        asked = [variable["name"] for each in containers(pod) for variable in each["env"]]
        needed = {port for end, ports in (("_DSN", POSTGRES_PORTS), ("_REDIS_URL", REDIS_PORTS))
                  if any(each.endswith(end) for each in asked) for port in ports}  # fmt: skip
        allowed = {
            port["port"]
            for policy in of_kind(name, "NetworkPolicy")
            if selects(policy["spec"]["podSelector"], pod)
            for rule in policy["spec"].get("egress", [])
            if "to" not in rule
            for port in rule["ports"]
        }
        assert needed <= allowed, owner


@pytest.mark.parametrize("name", BUILDS)
def test_a_zone_that_is_lost_keeps_nothing_from_starting_elsewhere(name: str) -> None:
    """Its nodes are still listed, empty: of three replicas two were left, and the autoscaler could add none."""
    strict = [
        each
        for pod in pods(name).values()
        for each in pod["spec"].get("topologySpreadConstraints", [])
        if each["whenUnsatisfiable"] == "DoNotSchedule"
    ]

    assert len(strict) == (4 if name == "overlays/production" else 0)
    assert all(each["nodeTaintsPolicy"] == "Honor" for each in strict)


@pytest.mark.parametrize("name", BUILDS)
def test_mails_are_from_the_public_name(name: str) -> None:
    """A mail server takes none from no-reply@localhost: nobody's registration was ever confirmed."""
    settings = {each["metadata"]["name"]: each["data"] for each in of_kind(name, "ConfigMap")}
    host = settings["razvilka-auth"]["AUTH_OAUTH_ISSUER"].removeprefix("https://")

    assert settings["razvilka-auth"]["AUTH_SMTP_SENDER"] == f"Razvilka <no-reply@{host}>"
    assert settings["razvilka-usage"]["USAGE_MAIL_SENDER"] == f"Razvilka <no-reply@{host}>"


@pytest.mark.parametrize("name", BUILDS)
def test_what_callers_uploaded_outlives_a_providers_key(name: str) -> None:
    """Sealed by a key made of the credentials, all files and batches were lost with the first rotation of one."""
    [program] = pods(name)["router"]["spec"]["containers"]
    [given] = [each["valueFrom"]["secretKeyRef"] for each in program["env"] if each["name"] == "ROUTER_TOOL_CALL_KEY"]

    assert given == {"name": "razvilka-router", "key": "tool-call-key"}


@pytest.mark.parametrize("name", BUILDS)
def test_a_node_whose_pods_are_not_ready_can_be_drained(name: str) -> None:
    """While the database is away all of auth is not ready: no node of theirs was let go, the database's among them."""
    budgets = of_kind(name, "PodDisruptionBudget")

    assert [each["spec"]["unhealthyPodEvictionPolicy"] for each in budgets] == ["AlwaysAllow"] * len(SERVICES)
