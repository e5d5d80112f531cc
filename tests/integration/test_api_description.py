"""The running API keeps its own description, whatever is sent to it: schemathesis over /openapi.json."""

from __future__ import annotations

import os
import re
import subprocess
import sysconfig
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from services.gateway.reference.glossary import FIELDS
from tests.integration.caller import call
from tools.stack.running_stack import RunningStack

# For each operation so many cases, whatever the machine.
EXAMPLES: Final = 5
# One case for each limit of each field as well, ten thousand in all: minutes. `make fuzz-description` has them.
WHOLE: Final = "RAZVILKA_WHOLE_DESCRIPTION" in os.environ
PHASES: Final = "examples,coverage,fuzzing" if WHOLE else "examples,fuzzing"
LEAST_CASES: Final = 5000 if WHOLE else 500
CHECKS: Final = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "response_headers_conformance",
    "allow_header_conformance",
)
# A signed link that ends is the credential.
BY_LINK: Final = ("/v1/reports/{report_id}/download",)
# It answers browsers, by pages.
BY_PAGES: Final = ("/authorize",)
SAID: Final = {"messages": [{"role": "user", "content": "Привет!"}]}
ASKED: Final[dict[str, dict[str, Any]]] = {
    "/v1/chat/completions": SAID,
    "/v1/completions": {"prompt": "Привет"},
    "/v1/responses": {"input": "Привет!"},
    "/v1/messages": {**SAID, "max_tokens": 20},
}
# What YandexGPT has not, and nobody who answers here.
UNUSUAL: Final[list[tuple[str, str, Any]]] = [
    ("/v1/chat/completions", "logit_bias", {"5": 1}),
    ("/v1/chat/completions", "audio", {"voice": "alloy", "format": "mp3"}),
    ("/v1/chat/completions", "web_search_options", {}),
    ("/v1/chat/completions", "prediction", {"type": "content", "content": "x"}),
    ("/v1/chat/completions", "moderation", {}),
    ("/v1/chat/completions", "service_tier", "flex"),
    ("/v1/chat/completions", "store", True),
    ("/v1/chat/completions", "logprobs", True),
    ("/v1/chat/completions", "prompt_cache_key", "k"),
    ("/v1/chat/completions", "prompt_cache_options", {}),
    ("/v1/chat/completions", "prompt_cache_retention", "24h"),
    ("/v1/chat/completions", "provider.data_collection", "deny"),
    ("/v1/chat/completions", "provider.zdr", True),
    ("/v1/chat/completions", "provider.quantizations", ["fp8"]),
    ("/v1/chat/completions", "provider.enforce_distillable_text", True),
    ("/v1/chat/completions", "provider.preferred_max_latency", 1),
    ("/v1/chat/completions", "provider.preferred_min_throughput", 1),
    ("/v1/completions", "best_of", 2),
    ("/v1/completions", "suffix", "z"),
    ("/v1/responses", "background", True),
    ("/v1/responses", "conversation", "conv_1"),
    ("/v1/messages", "thread", {"id": "x"}),
]
REFUSED: Final = re.compile(r"Refused|refuse it")
INFERENCE: Final = ("/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/models")


@pytest.fixture
def description(stack: RunningStack) -> dict[str, Any]:
    """The description as the running gateway gives it."""
    found: dict[str, Any] = httpx.get(f"{stack.url}/openapi.json", trust_env=False, timeout=60).json()
    return found


def test_every_operation_says_what_it_needs_and_how_it_fails(description: dict[str, Any]) -> None:
    """A summary, a credential where one is needed, and an error body for 4xx and 5xx."""
    operations = [(path, each) for path, item in description["paths"].items() for each in item.values()]

    assert set(INFERENCE) <= set(description["paths"])
    for path, operation in operations:
        assert operation["summary"], path
        needs_none = not path.startswith("/v1/") or path in BY_LINK
        assert needs_none != ("security" in operation) or path == "/userinfo", path
        assert {"400", "429"} <= operation["responses"].keys() or path in BY_PAGES, path


@pytest.mark.parametrize(("path", "name", "value"), UNUSUAL, ids=[f"{path} {name}" for path, name, _ in UNUSUAL])
def test_a_parameter_is_refused_or_named_as_its_description_says(
    stack: RunningStack, path: str, name: str, value: Any
) -> None:
    """Whoever asks that nothing be kept must not read that it will be so, when it is only named as left out."""
    parent, _, field = name.rpartition(".")
    body = {"model": "yandexgpt", **ASKED[path], **({parent: {field: value}} if parent else {field: value})}

    heard = call(stack.url, "POST", path, json=body, headers={"authorization": f"Bearer {stack.demo.api_key}"})

    refused, said = heard.status == 400, FIELDS[field]
    assert heard.error.get("param", "") == name if refused else name in heard.headers["x-razvilka-dropped-params"]
    assert REFUSED.search(said) if refused else "named as left out" in said


@pytest.mark.timeout(1800)
def test_answers_are_as_described_and_never_5xx(stack: RunningStack, tmp_path: Path) -> None:
    """Every operation, with what the description allows and with what it forbids, by a key of the ordinary scopes."""
    program = Path(sysconfig.get_path("scripts")) / "schemathesis"
    done = subprocess.run(
        [
            program, "run", f"{stack.url}/openapi.json",
            "--header", f"Authorization: Bearer {stack.issue_key()}",
            "--checks", ",".join(CHECKS),
            "--phases", PHASES,
            "--max-examples", str(EXAMPLES),
            "--generation-deterministic",
            "--suppress-health-check", "all",
            "--continue-on-failure",
            "--no-color",
        ],
        cwd=tmp_path,  # it leaves a folder there
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    cases = re.search(r"(\d+) generated, (\d+) passed", done.stdout)
    assert cases, done.stdout[-2000:]
    assert int(cases[1]) == int(cases[2]) > LEAST_CASES
