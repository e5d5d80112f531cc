"""Every library does with us what its documentation says; the run writes its row of docs/clients.md."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest

from tests.compat.clients import environments
from tests.compat.clients.page import Tried, renewed

SWITCH: Final = "RAZVILKA_TEST_CLIENTS"
PAGE: Final = Path(__file__).parents[3] / "docs" / "clients.md"
DIALECT: Final = "it reads GigaChat's own form of an answer; we answer in OpenAI's"


@dataclass(frozen=True, slots=True)
class Library:
    """A library, what is installed for it beside it, and the program that tries it."""

    package: str
    program: str
    more: tuple[str, ...] = ()
    fails: Mapping[str, str] = field(default_factory=dict)
    """Steps that cannot work, by their names, and why."""
    dialect: str = "chat"
    """The API that it asks; the page says it where it is not chat completions."""

    @property
    def suffix(self) -> str:
        """What stands behind the version on the page."""
        return "" if self.dialect == "chat" else f" ({self.dialect})"


LIBRARIES: Final = (
    Library("openai", "openai_python.py"),
    Library("langchain", "langchain_python.py", ("langchain-openai",)),
    Library(
        "langchain-gigachat",
        "langchain_gigachat_python.py",
        fails=dict.fromkeys(("tools", "structured", "embeddings"), DIALECT),
    ),
    Library("llama-index-llms-openai-like", "llama_index_python.py", ("llama-index-embeddings-openai-like",)),
    Library("pydantic-ai-slim", "pydantic_ai_python.py", ("pydantic-ai-slim[openai]",)),
    Library("openai-agents", "openai_agents_python.py"),
    Library("openai-agents", "openai_agents_python.py", dialect="responses"),
    Library("anthropic", "anthropic_python.py", dialect="messages"),
    Library("autogen-agentchat", "autogen_python.py", ("autogen-ext[openai]",)),
    Library("semantic-kernel", "semantic_kernel_python.py"),
    Library("crewai", "crewai_python.py"),
    Library("agno", "agno_python.py", ("openai",)),
    Library("smolagents", "smolagents_python.py", ("smolagents[openai]",)),
    Library("mem0ai", "mem0_python.py"),
    Library("instructor", "instructor_python.py"),
    Library("mirascope", "mirascope_python.py", ("mirascope[openai]",)),
    Library("magentic", "magentic_python.py"),
    Library("litellm", "litellm_python.py"),
    Library("llm", "llm_python.py"),
    Library("haystack-ai", "haystack_python.py"),
    Library("dspy", "dspy_python.py", ("numpy",)),
)
NODE_LIBRARIES: Final = (
    Library("openai", "openai_node.mjs", ("zod",)),
    Library("ai", "vercel_ai.mjs", ("@ai-sdk/openai-compatible", "zod")),
    Library("@openai/codex", "codex.mjs", dialect="responses"),
    Library("@anthropic-ai/claude-code", "claude_code.mjs", dialect="messages"),
    Library("@ai-sdk/openai", "vercel_ai.mjs", ("ai", "zod"), dialect="responses"),
    Library("langchain", "langchain_js.mjs", ("@langchain/openai", "@langchain/core", "zod")),
)


ORDER: Final = [
    *(each.package + each.suffix for each in LIBRARIES),
    *(f"{each.package} (npm){each.suffix}" for each in NODE_LIBRARIES),
]


pytestmark = pytest.mark.skipif(not os.environ.get(SWITCH), reason="run by make test-clients")


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("library", LIBRARIES, ids=lambda library: library.package + library.suffix)
def test_the_library_works_unchanged(stack: Any, tmp_path: Path, library: Library) -> None:
    """All steps that the library has, each as its documentation shows it."""
    with environments.python(tmp_path / "made", (library.package, *library.more)) as made:
        _try(stack, made, library)


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("library", NODE_LIBRARIES, ids=lambda library: f"{library.package} (npm){library.suffix}")
def test_the_javascript_library_works_unchanged(stack: Any, tmp_path: Path, library: Library) -> None:
    """All steps that the library has, each as its documentation shows it."""
    with environments.node(tmp_path / "made", (library.package, *library.more)) as made:
        _try(stack, made, library, " (npm)")


def _try(stack: Any, made: environments.Environment, library: Library, registry: str = "") -> None:
    """Run the library's program and write its row, whatever came of it; fail where something did that should work."""
    outcome = made.run(library.program, {**addresses(stack), "RAZVILKA_DIALECT": library.dialect})
    name = f"{library.package} {environments.version(made, library.package)}{registry}{library.suffix}"
    tried = Tried(name, outcome, library.fails, day=datetime.now(UTC).date().isoformat())
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8"), tried, ORDER), encoding="utf-8")
    assert {step for step, problem in outcome.items() if problem} == set(library.fails), outcome


def addresses(stack: Any) -> dict[str, str]:
    """Return what a program is told: where, a key without limits, and one of a free account of its own."""
    small = stack.issue_key(tier="free")
    return {"RAZVILKA_URL": stack.url, "RAZVILKA_API_KEY": stack.api_key, "RAZVILKA_SMALL_KEY": small}
