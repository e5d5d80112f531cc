"""What forgets its oldest entry finds it at once, however full it is."""

from __future__ import annotations

import ast

from tools.tests.test_forbidden_calls import modules


def firsts_removed(tree: ast.Module) -> list[int]:
    """Return the lines that remove the first key of a mapping by asking for its first key."""
    return [
        node.lineno
        for node in ast.walk(tree)
        if (
            isinstance(node, ast.Call)
            and ast.unparse(node.func).endswith(".pop")
            and "next(iter(" in _of(node.args[:1])
        )
        or (isinstance(node, ast.Delete) and "next(iter(" in _of(node.targets))
    ]


def _of(parts: list[ast.expr]) -> str:
    return " ".join(ast.unparse(part) for part in parts)


def test_no_dict_is_emptied_from_its_front() -> None:
    """A dict passes over the holes of all that was removed before: a hundred times slower than an OrderedDict."""
    found = [f"{name}:{line}" for name, tree in modules().items() for line in firsts_removed(tree)]

    assert found == []


def test_the_search_would_find_one() -> None:
    """In both forms."""
    tree = ast.parse("a.pop(next(iter(a)))\ndel a[next(iter(a))]\na.pop(b)\ndel a[b]")

    assert sorted(firsts_removed(tree)) == [1, 2]
