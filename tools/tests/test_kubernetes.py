"""The Kubernetes base is valid and agrees with the settings classes."""

import secrets
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from servicekit.configuration.loading import load
from servicekit.trust.callers import name_of
from tools.settings_catalog import settings_class, settings_of, variables_of

BASE = Path(__file__).parents[2] / "deploy" / "k8s" / "base"
SERVICES = ("auth", "router", "usage", "gateway")
KUBERNETES = "1.32"
# The kustomization is no resource, and a patch is a part of one: the build covers both.
FILES = sorted(
    str(file.relative_to(BASE))
    for file in BASE.rglob("*.yaml")
    if file.name != "kustomization.yaml" and not file.name.endswith("-patch.yaml")
)
needs_kubectl = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl builds the kustomization")


def documents(text: str) -> list[dict[str, Any]]:
    return [document for document in yaml.safe_load_all(text) if document]


@cache
def built() -> list[dict[str, Any]]:
    """What `kubectl apply -k` would send."""
    command = ["kubectl", "kustomize", str(BASE)]
    return documents(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def workload(service: str) -> dict[str, Any]:
    folder = BASE / service
    file = folder / ("statefulset.yaml" if service == "gateway" else "deployment.yaml")
    found: dict[str, Any] = documents(file.read_text())[0]["spec"]["template"]["spec"]
    return found


def program(service: str) -> dict[str, Any]:
    found: dict[str, Any] = workload(service)["containers"][0]
    return found


def environment(service: str) -> dict[str, str]:
    """Names and plain values of the pod, from its own list and from its ConfigMap."""
    maps: dict[str, dict[str, str]] = {
        each["metadata"]["name"]: each["data"] for each in documents((BASE / "config.yaml").read_text())
    }
    listed: dict[str, str] = {each["name"]: each.get("value", "") for each in program(service)["env"]}
    return listed | maps[f"razvilka-{service}"]


@pytest.mark.parametrize("name", FILES)
def test_every_file_is_valid(name):
    """By the schemas of the Kubernetes release, unknown fields refused."""
    for document in documents((BASE / name).read_text()):
        kubernetes_validate.validate(document, KUBERNETES, strict=True)


@needs_kubectl
def test_the_build_is_valid_and_complete():
    """With the patches applied, each service has all it needs."""
    for document in built():
        kubernetes_validate.validate(document, KUBERNETES, strict=True)

    kinds = {(document["kind"], document["metadata"]["name"]) for document in built()}
    for service in SERVICES:
        kind = "StatefulSet" if service == "gateway" else "Deployment"
        wanted = {(kind, service), ("Service", service), ("PodDisruptionBudget", service), ("ServiceAccount", service),
                  ("HorizontalPodAutoscaler", service), ("NetworkPolicy", service)}  # fmt: skip
        assert wanted <= kinds
        assert service == "gateway" or ("Job", f"{service}-migrate") in kinds


@needs_kubectl
def test_every_pod_is_locked_down():
    """No root, no capabilities, nothing to write but /tmp and the journal."""
    pods = [
        each["spec"]["template"]["spec"] for each in built() if each["kind"] in ("Deployment", "StatefulSet", "Job")
    ]

    assert len(pods) == 7
    for pod in pods:
        security = pod["containers"][0]["securityContext"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["automountServiceAccountToken"] is False
        # Kubernetes would otherwise set GATEWAY_PORT=tcp://... in every pod.
        assert pod["enableServiceLinks"] is False
        assert security["readOnlyRootFilesystem"] is True
        assert security["capabilities"] == {"drop": ["ALL"]}


@needs_kubectl
@pytest.mark.parametrize("service", SERVICES)
def test_a_pod_is_given_longer_to_stop_than_it_takes(service):
    """preStop and the program's own grace fit into the pod's."""
    pod = next(
        each["spec"]["template"]["spec"]
        for each in built()
        if each["metadata"]["name"] == service and each["kind"] in ("Deployment", "StatefulSet")
    )
    defaults = {each.variable: each.default for each in settings_of(service)}
    name = "GATEWAY_GRACE_S" if service == "gateway" else f"{service.upper()}_GRPC_GRACE_S"
    own_s = float(environment(service).get(name) or defaults[name])
    pre_stop_s = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]

    assert pod["terminationGracePeriodSeconds"] > own_s + pre_stop_s


@pytest.mark.parametrize("service", SERVICES)
def test_every_variable_exists_in_the_settings_class(service):
    """A typo in a name would silently leave the default."""
    assert set(environment(service)) - variables_of(service) == {"RAZVILKA_PROFILE"}


@pytest.mark.parametrize("service", SERVICES)
def test_every_required_setting_is_given(service):
    """Nothing is left that stops the start."""
    required = {each.variable for each in settings_of(service) if each.required}

    assert required - set(environment(service)) == set()


@pytest.mark.parametrize("service", ["auth", "router", "usage"])
def test_ports_agree(service):
    """Settings, container, Service, probe and the gateway's target name one port."""
    port = int(environment(service)[f"{service.upper()}_GRPC_PORT"])
    exposed = documents((BASE / service / "service.yaml").read_text())[0]["spec"]["ports"]

    assert {"name": "grpc", "containerPort": port} in program(service)["ports"]
    assert program(service)["readinessProbe"]["exec"]["command"][-1] == f"{service}@127.0.0.1:{port}"
    assert [each["port"] for each in exposed if each["name"] == "grpc"] == [port]
    assert environment("gateway")[f"GATEWAY_{service.upper()}_TARGET"] == f"dns:///{service}:{port}"


def test_administrators_come_by_a_port_that_no_service_leads_to():
    """It listens on the pod's loopback, which `kubectl port-forward` reaches and nothing in the network does."""
    given = environment("gateway")
    services = documents((BASE / "gateway" / "service.yaml").read_text())
    exposed = [each for service in services for each in service["spec"]["ports"]]

    assert given["GATEWAY_ADMIN_PORT"] not in [str(each["port"]) for each in (*exposed, *program_ports("gateway"))]
    assert "GATEWAY_ADMIN_HOST" not in given
    assert settings_class("gateway").model_fields["admin_host"].default == "127.0.0.1"


def program_ports(service: str) -> list[dict[str, Any]]:
    """Return the ports of a container, each under `port`."""
    return [{"port": each["containerPort"]} for each in program(service)["ports"]]


def test_the_gateways_journal_is_on_its_own_disk():
    """What is not yet shipped survives the pod."""
    mounts = {each["name"]: each["mountPath"] for each in program("gateway")["volumeMounts"]}

    assert environment("gateway")["GATEWAY_JOURNAL_DIR"] == mounts["journal"]


@pytest.mark.parametrize("service", SERVICES)
def test_the_base_is_a_production_that_starts(service):
    """Its settings, with secrets as its comments ask for, are refused nothing."""
    password = secrets.token_hex(16)
    given = {
        "POSTGRES_DSN": f"postgresql://u:{password}@db:5432/razvilka?sslmode=verify-full",
        "REDIS_URL": f"rediss://u:{password}@redis:6379/0",
    }
    listed = {
        name: value or next((given[end] for end in given if name.endswith(end)), secrets.token_hex(32))
        for name, value in environment(service).items()
    }

    assert listed["RAZVILKA_PROFILE"] == "production"
    assert load(settings_class(service), listed)


@pytest.mark.parametrize("service", SERVICES)
def test_certificates_are_mounted_where_the_service_looks(service):
    """Each from a secret of its own."""
    mounts = {each["name"]: each["mountPath"] for each in program(service)["volumeMounts"]}
    volumes = {each["name"]: each for each in workload(service)["volumes"]}

    assert environment(service)[f"{service.upper()}_TLS_DIR"] == mounts["tls"]
    assert volumes["tls"]["secret"]["secretName"] == f"razvilka-{service}-tls"


@pytest.mark.parametrize("service", SERVICES)
def test_cert_manager_is_asked_for_the_name_the_others_pin(service):
    """A certificate without the right name is refused by everybody."""
    folder = BASE.parent / "cert-manager"
    asked = {
        each["spec"]["secretName"]: each["spec"]
        for each in documents((folder / "certificates.yaml").read_text())
        if each["kind"] == "Certificate"
    }
    spec = asked[f"razvilka-{service}-tls"]

    assert spec["dnsNames"] == [name_of(service)]
    assert set(spec["usages"]) == {"digital signature", "server auth", "client auth"}


@pytest.mark.parametrize("service", ["auth", "router", "usage"])
def test_who_reaches_the_world_reaches_nothing_inside(service):
    """A provider's or a webhook's address that leads into the cluster, or to a cloud's metadata, ends at the policy."""
    policies = {each["metadata"]["name"]: each["spec"] for each in documents((BASE / "network.yaml").read_text())}
    [world] = [rule["to"][0]["ipBlock"] for rule in policies[service]["egress"] if "to" in rule]

    assert policies["default-deny"]["policyTypes"] == ["Ingress", "Egress"]
    assert {"10.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"} <= set(world["except"])


def test_the_job_that_ships_journals_finds_them_where_the_gateway_keeps_them():
    """A valid manifest with the gateway's volume, path, targets and account, as locked down as every pod."""
    [job] = documents((BASE.parent / "jobs" / "ship-journals.yaml").read_text())
    kubernetes_validate.validate(job, KUBERNETES, strict=True)
    pod = job["spec"]["template"]["spec"]
    given = {each["name"]: each.get("value", "") for each in pod["containers"][0]["env"]}
    [mounted] = [each["mountPath"] for each in pod["containers"][0]["volumeMounts"] if each["name"] == "journal"]

    assert pod["containers"][0]["args"][2:] == ["services.gateway", "ship-journals", mounted]
    assert mounted == environment("gateway")["GATEWAY_JOURNAL_DIR"]
    assert {name: environment("gateway")[name] for name in given} == given
    assert pod["serviceAccountName"] == workload("gateway")["serviceAccountName"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["containers"][0]["securityContext"]["capabilities"] == {"drop": ["ALL"]}
