"""What of the SDKs' public surface ran in the scenarios; the page about it is written by the run."""

from typing import Final

import pytest

from tests.compat.sdk import scenarios
from tests.compat.sdk.scenarios import GIGACHAT, YANDEX, Sdk

PAGE: Final = scenarios.REPOSITORY / "docs" / "sdks.md"
HEAD: Final = """# The providers' own SDKs against the emulator

Written by `make test-sdks`: every public method and property of each SDK, found by looking at its classes, and whether
it ran for an object of that class in our scenarios against the emulator, where what it returned is checked. Of
`yandex-ai-studio-sdk` these are the classes that come in two halves, and a name counts when both, the blocking and the
asynchronous one, ran. The run fails when a name neither ran nor is listed here with a reason.
"""


@pytest.mark.timeout(900)
@pytest.mark.parametrize("sdk", [GIGACHAT, YANDEX], ids=lambda sdk: sdk.package)
def test_every_public_name_is_called_or_left_out_for_a_reason(addresses: str, sdk: Sdk) -> None:
    """A name of a newer version is noticed by this."""
    surface = scenarios.run(sdk, addresses).surface

    assert [name for name, fate in surface.items() if not fate] == []


@pytest.mark.timeout(900)
def test_the_page_says_what_is_covered(addresses: str) -> None:
    """It is written anew by each run; a change of it is to be committed."""
    text = HEAD + "".join(section(sdk, scenarios.run(sdk, addresses).surface) for sdk in (GIGACHAT, YANDEX))
    PAGE.write_text(text, encoding="utf-8")

    assert "## gigachat: " in text


def section(sdk: Sdk, surface: dict[str, str]) -> str:
    """Return the table of one SDK, a line for each part of it, and the reasons for what is left out."""
    called = [name for name, fate in surface.items() if fate == "called"]
    parts: dict[str, list[str]] = {}
    for path in sorted(called):
        part, _, name = path.rpartition(".")
        parts.setdefault(part, []).append(f"`{name}`")
    rows = [f"| {part} | {', '.join(names)} |\n" for part, names in parts.items()]
    left = [f"- `{name}`: {fate or 'not tried'}.\n" for name, fate in sorted(surface.items()) if fate != "called"]
    head = f"\n## {sdk.package}: {len(called)} of {len(surface)}\n\n| part | called |\n|---|---|\n"
    return head + "".join(rows) + ("\nLeft out:\n\n" + "".join(left) if left else "")
