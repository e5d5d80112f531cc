"""The Helm chart says what the kustomizations say: it is generated from them, and equal when rendered."""

from __future__ import annotations

import copy
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml

from tools.chart.__main__ import CHART, differing, files_of_chart
from tools.chart.holes import hole, only_if, template_of
from tools.chart.source import Manifest, documents
from tools.tests.manifests import build, needs_kubectl

HELM = os.environ.get("RAZVILKA_HELM") or shutil.which("helm")
needs_helm = pytest.mark.skipif(HELM is None, reason="helm renders the chart (RAZVILKA_HELM names one)")
SIZES = {"base": [], "overlays/small": ["values-small.yaml"], "overlays/production": ["values-production.yaml"]}


def helm(*arguments: str, code: int = 0) -> str:
    """Run helm and return what it said."""
    done = subprocess.run([str(HELM), *arguments], cwd=CHART, capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


def rendered(*values: str) -> list[Manifest]:
    """Return the manifests of a first release with some files of values."""
    return documents(helm("template", "razvilka", ".", *(word for file in values for word in ("-f", file))))


@needs_kubectl
def test_the_chart_is_generated_from_the_kustomizations():
    """Somebody changed one of both by hand: `make chart`."""
    assert differing(CHART, files_of_chart()) == []


def test_a_file_that_nobody_generates_is_told(tmp_path: Path):
    """A template that was left behind would go on being installed."""
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "old.yaml").write_text("kind: ConfigMap\n")
    (tmp_path / "values-small.yaml").write_text("{}\n")

    assert differing(tmp_path, {"Chart.yaml": "name: razvilka\n"}) == ["Chart.yaml", "templates/old.yaml"]


def test_holes_become_expressions():
    """In a scalar, in the middle of one, as a block, and around items of a list."""
    manifest = {
        "name": "x-" + hole(".Release.Revision"),
        "image": hole('include "a" "b"'),
        "items": [1, *only_if(".Values.on", [2])],
        "data": {hole("- toYaml .Values.config | nindent 2"): None},
    }

    assert template_of(manifest) == (
        "name: x-{{ .Release.Revision }}\n"
        'image: {{ include "a" "b" }}\n'
        "items:\n- 1\n{{- if .Values.on }}\n- 2\n{{- end }}\n"
        "data:\n  {{- toYaml .Values.config | nindent 2 }}\n"
    )


def comparable(manifests: list[Manifest]) -> dict[tuple[str, str], Manifest]:
    """Return manifests by kind and name, without what only one of both ways has."""
    found = {}
    for original in manifests:
        manifest: dict[str, Any] = copy.deepcopy(original)
        metadata = manifest["metadata"]
        metadata.pop("namespace", None)
        metadata.pop("labels", None)
        # A Job of the chart carries the number of its release.
        metadata["name"] = metadata["name"].removesuffix("-1") if manifest["kind"] == "Job" else metadata["name"]
        template = manifest.get("spec", {}).get("template")
        if isinstance(template, dict) and "spec" in template:
            assert template["spec"].pop("imagePullSecrets", []) == []
            template["metadata"].get("annotations", {}).pop("razvilka.dev/settings", None)
        if manifest["kind"] != "Namespace":
            found[manifest["kind"], metadata["name"]] = manifest
    return found


@needs_kubectl
@needs_helm
@pytest.mark.parametrize("size", SIZES)
def test_both_ways_install_the_same(size):
    """Rendered with a size's values, the chart is the overlay, field by field."""
    assert comparable(rendered(*SIZES[size])) == comparable(build(size))


@needs_helm
def test_helm_finds_nothing_wrong():
    """Its own lint, warnings counting."""
    for values in SIZES.values():
        helm("lint", "--strict", ".", *(word for file in values for word in ("-f", file)))


@needs_helm
def test_changed_settings_replace_the_pods_that_read_them():
    """A program reads its settings when it starts; the others go on."""
    before = {each["metadata"]["name"]: each for each in rendered() if each["kind"] in ("Deployment", "StatefulSet")}
    told = documents(helm("template", "razvilka", ".", "--set-string", "router.config.ROUTER_RELOAD_S=5"))
    after = {each["metadata"]["name"]: each for each in told if each["kind"] in ("Deployment", "StatefulSet")}

    assert [name for name in before if before[name]["spec"] != after[name]["spec"]] == ["router"]


@needs_helm
@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("router.minReplica=3", "minReplica"),
        ("podMonitor.enabled=maybe", "/podMonitor/enabled"),
        ("usage.maxReplicas=many", "/usage/maxReplicas"),
    ],
)
def test_a_wrong_value_is_refused_by_name(option, said):
    """Before anything is sent."""
    assert said in helm("template", "razvilka", ".", "--set", option, code=1)


def test_the_sizes_fit_the_schema():
    """Their names are names of values, without helm."""
    schema = json.loads((CHART / "values.schema.json").read_text())
    for file in ("values.yaml", "values-small.yaml", "values-production.yaml"):
        jsonschema.validate(yaml.safe_load((CHART / file).read_text()), schema)
    with pytest.raises(jsonschema.ValidationError, match="scaleByLod"):
        jsonschema.validate({"scaleByLod": {"enabled": True}}, schema)
