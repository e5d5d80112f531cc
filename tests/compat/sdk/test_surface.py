"""What of the SDKs' public surface the scenarios call; the page about it is written by the run."""

import pytest

from tests.compat.sdk import scenarios

PAGE = scenarios.HERE.parents[2] / "docs" / "sdks.md"
SDKS = {"gigachat": ("gigachat_program.py",), "yandex-ai-studio-sdk": ("yandex_program.py", "pydantic")}
HEAD = """# The providers' own SDKs against the emulator

Written by `make test-sdks`: the public names of each SDK, found by looking at it, and whether one of our scenarios
calls them at the emulator. What is not called has not been tried, and most of it is not played: an application that
needs it must be tried at the provider. A name counts as called wherever it is, blocking or asynchronous.
"""


@pytest.mark.timeout(900)
def test_the_page_says_what_is_covered(addresses: dict[str, str]) -> None:
    """Nothing that was covered is lost without a change of the page."""
    sections = []
    for package, (program, *more) in SDKS.items():
        python = scenarios.environment(package, *more)
        sections.append(section(package, scenarios.surface(python, program, addresses)))
    text = HEAD + "".join(sections)
    before = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    PAGE.write_text(text, encoding="utf-8")

    assert lost(before, text) == []


def section(package: str, found: dict[str, bool]) -> str:
    """Return the table of one SDK: a line for each part of it."""
    parts: dict[str, tuple[list[str], list[str]]] = {}
    for path, is_called in sorted(found.items()):
        part, _, name = path.rpartition(".")
        parts.setdefault(part or "client", ([], []))[0 if is_called else 1].append(f"`{name}`")
    rows = [f"| {part} | {', '.join(yes) or '-'} | {', '.join(no) or '-'} |" for part, (yes, no) in parts.items()]
    head = f"\n## {package}: {sum(found.values())} of {len(found)}\n\n| part | called | not called |\n|---|---|---|\n"
    return head + "\n".join(rows) + "\n"


def lost(before: str, after: str) -> list[str]:
    """Return the parts of the old page whose names are called no more."""
    now = called(after)
    return [f"{part}: {name}" for part, names in called(before).items() for name in names - now.get(part, names)]


def called(page: str) -> dict[str, set[str]]:
    """Return the called names by part; parts of the two SDKs have different names."""
    rows = (line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| ") and "`" in line)
    return {row[0]: set(row[1].split(", ")) - {"-"} for row in rows}
