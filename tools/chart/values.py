"""The chart's values: what the base says today is their default, and their schema refuses a name that nothing reads."""

from __future__ import annotations

from typing import Any, Final

from tools.chart.source import Manifest, resources_of
from tools.chart.templates import HOST, MAIL_SERVER, WORKLOADS

SERVICES: Final = ("gateway", "auth", "router", "usage")
# Maps whose keys are not ours to list: settings of .env.example, and Kubernetes' own.
OPEN: Final = frozenset({"config", "resources", "store"})


def default_values(base: list[Manifest], version: str) -> dict[str, Any]:
    """Return the values that make the chart say what the base says."""
    [ingress], [route] = resources_of("ingress"), resources_of("gateway-api")
    store = resources_of("external-secrets")[0]["spec"]["secretStoreRef"]
    return {
        "host": HOST,
        "mailServer": MAIL_SERVER,
        "images": {"registry": "", "tag": version, "pullSecrets": []},
        "spreadOverZones": "ScheduleAnyway",
        **{service: _service_values(base, service) for service in SERVICES},
        "ingress": {
            "enabled": False,
            "className": ingress["spec"]["ingressClassName"],
            "tlsSecret": ingress["spec"]["tls"][0]["secretName"],
        },
        "gatewayApi": {"enabled": False, "parentRefs": route["spec"]["parentRefs"]},
        "podMonitor": {"enabled": False},
        "scaleByLoad": {"enabled": False},
        "externalSecrets": {"enabled": False, "store": store},
    }


def _service_values(base: list[Manifest], service: str) -> dict[str, Any]:
    found = {each["kind"]: each for each in base if each["metadata"]["name"] == service}
    [workload] = [found[kind] for kind in WORKLOADS if kind in found]
    scaling = found["HorizontalPodAutoscaler"]["spec"]
    values: dict[str, Any] = {
        "minReplicas": scaling["minReplicas"],
        "maxReplicas": scaling["maxReplicas"],
        "resources": workload["spec"]["template"]["spec"]["containers"][0]["resources"],
        "config": _config_values(base, service),
    }
    if workload["kind"] == "StatefulSet":
        [claim] = workload["spec"]["volumeClaimTemplates"]
        values["journalSize"] = claim["spec"]["resources"]["requests"]["storage"]
    return values


def _config_values(base: list[Manifest], service: str) -> dict[str, str]:
    [config] = [
        each["data"]
        for each in base
        if (each["kind"], each["metadata"]["name"]) == ("ConfigMap", f"razvilka-{service}")
    ]
    return {name: value for name, value in config.items() if HOST not in value and MAIL_SERVER not in value}


def schema_of(values: dict[str, Any]) -> dict[str, Any]:
    """Return a JSON Schema of the values: types as they are now, no other names."""
    return {"$schema": "http://json-schema.org/draft-07/schema#", **_schema("", values)}


def _schema(name: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        return {"type": _type_of(value)}
    if name == "config":
        return {"type": "object", "additionalProperties": {"type": "string"}}
    if name in OPEN:
        return {"type": "object"}
    properties = {key: _schema(key, each) for key, each in value.items()}
    # `global` is Helm's own: a chart around this one passes it to all.
    return {"type": "object", "additionalProperties": False, "properties": properties | _helms_own(name)}


def _helms_own(name: str) -> dict[str, Any]:
    return {} if name else {"global": {"type": "object"}}


def _type_of(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, list):
        return "array"
    return "integer" if isinstance(value, int) else "string"
