"""docs/api/oauth-rules.md and these tests name the same rules."""

import ast
import re
from pathlib import Path

from tools.stack.home import REPOSITORY

DOCUMENT = REPOSITORY / "docs" / "api" / "oauth-rules.md"
NAMED = re.compile(r"\bRules? ((?:\d+(?:, | and )?)+)")


def rules() -> set[int]:
    return {int(number) for number in re.findall(r"^(\d+)\. ", DOCUMENT.read_text(), re.MULTILINE)}


def named_by_tests() -> set[int]:
    found: set[int] = set()
    for file in Path(__file__).parent.glob("test_*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                for numbers in NAMED.findall(ast.get_docstring(node) or ""):
                    found |= {int(number) for number in re.findall(r"\d+", numbers)}
    return found


def test_every_rule_has_a_test_and_every_test_a_rule_that_exists():
    """A rule without a test would be a wish."""
    assert rules() == set(range(1, 53))
    assert named_by_tests() == rules()
