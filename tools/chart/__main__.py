"""`make chart`: generate deploy/chart from deploy/k8s; with --check say what differs and exit 1."""

from __future__ import annotations

import argparse
import json
import sys
import tomllib
from pathlib import Path
from typing import Final

import yaml

from tools.chart.source import KUSTOMIZE, REPOSITORY, built
from tools.chart.templates import GENERATED, base_templates, optional_templates
from tools.chart.values import default_values, schema_of

CHART: Final = REPOSITORY / "deploy" / "chart"
# Written by hand: what an installation of a size sets, and what Helm says when it has installed.
BY_HAND: Final = ("values-small.yaml", "values-production.yaml", "templates/NOTES.txt", "templates/_image.tpl")
DESCRIPTION: Final = (
    "LLM gateway: one OpenAI-compatible API over YandexGPT, GigaChat and any OpenAI-compatible upstream"
)
VALUES_HEAD: Final = (
    GENERATED
    + "# Names under `config` are those of .env.example. Secrets are read by reference: the head of\n"
    + "# deploy/k8s/base/kustomization.yaml lists them.\n"
)


def files_of_chart() -> dict[str, str]:
    """Return what is generated, by its path in the chart."""
    version = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["version"]
    base = built(KUSTOMIZE / "base")
    values = default_values(base, version)
    templates = base_templates(base) | optional_templates()
    return {
        "Chart.yaml": GENERATED + yaml.safe_dump(_chart(version), sort_keys=False, width=200),
        "values.yaml": VALUES_HEAD + yaml.safe_dump(values, sort_keys=False, width=200),
        "values.schema.json": json.dumps(schema_of(values), indent=2) + "\n",
        **{f"templates/{name}": text for name, text in templates.items()},
    }


def _chart(version: str) -> dict[str, str]:
    return {
        "apiVersion": "v2",
        "name": "razvilka",
        "description": DESCRIPTION,
        "version": version,
        "appVersion": version,
        "kubeVersion": ">=1.30.0-0",
    }


def differing(folder: Path, wanted: dict[str, str]) -> list[str]:
    """Return the paths in which a chart differs from what would be generated."""
    found = {str(file.relative_to(folder)): file.read_text() for file in folder.rglob("*") if file.is_file()}
    generated = {path: text for path, text in found.items() if path not in BY_HAND}
    return sorted(path for path in wanted.keys() | generated.keys() if wanted.get(path) != generated.get(path))


def main() -> int:
    """Return 0 when the chart is as it should be."""
    parser = argparse.ArgumentParser(prog="make chart", description=__doc__)
    parser.add_argument("--check", action="store_true")
    arguments, wanted = parser.parse_args(), files_of_chart()
    stale = differing(CHART, wanted)
    if arguments.check:
        print("\n".join(f"deploy/chart/{path} is stale: make chart" for path in stale), end="\n" if stale else "")
        return 1 if stale else 0
    for path in stale:
        _write(CHART / path, wanted.get(path))
    return 0


def _write(file: Path, text: str | None) -> None:
    if text is None:
        file.unlink()
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


if __name__ == "__main__":
    sys.exit(main())
