"""What opens a door wherever it stands is nowhere in our programs: SQL of text, code of data, patterns of callers."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from typing import Final

import pytest

from services.gateway.pages import rendering
from tools.stack.home import REPOSITORY

ASKS: Final = {"execute", "executemany", "fetch", "fetchrow", "fetchval", "prepare", "cursor"}
# Which of their arguments is a statement.
HAND_ON: Final = {"in_pieces": 1, "json_page": 1}
# They go over a closed table of constants, statement by statement, or choose one of it.
LOOPS: Final = {
    # What it is given is looked at where it is given.
    "servicekit/postgres.py",
    "services/auth/accounts/store/personal_data.py",
    "services/auth/personal_data/store.py",
    "services/auth/budgets/store/caps.py",
    "services/router/batches/store/files.py",
    "services/usage/reports/store/report_store.py",
    "services/usage/store/checks.py",
    # Its statements follow from the dimensions of a question, which are a closed set; values are parameters.
    "services/usage/statistics/store/request_log.py",
    "services/usage/statistics/store/counting.py",
    "services/usage/statistics/store/statistics_store.py",
    # Of tables that it makes itself, whose names are digits; of a schema that the caller names in its own code.
    "services/usage/importing/months.py",
    "servicekit/migrations.py",
    # Of Redis' pipelines, which are told no statement.
    "servicekit/rediscluster/client.py",
    # Of a file of ours, by a database in this process that knows no others.
    "services/usage/reports/writers/parquet_rows.py",
    "services/usage/archiving/parquet.py",
}
DATA_AS_CODE: Final = {"eval", "exec", "__import__", "yaml.load", "yaml.unsafe_load", "yaml.full_load"}
UNSAFE_MODULES: Final = {"pickle", "marshal", "shelve", "dill", "jsonpickle"}
PATTERNS: Final = {"re.compile", "re.match", "re.search", "re.fullmatch", "re.sub", "re.split", "re.findall"}


@cache
def modules() -> dict[str, ast.Module]:
    """Return every module that runs in production, by its path."""
    files = [file for folder in ("services", "servicekit") for file in (REPOSITORY / folder).rglob("*.py")]
    shipped = [file for file in files if not {"tests", "testing"} & set(file.parts)]
    return {str(file.relative_to(REPOSITORY)): ast.parse(file.read_text()) for file in shipped}


def calls() -> Iterator[tuple[str, ast.Call, str]]:
    """Yield every call with its place and what is called, as it is written."""
    for name, tree in modules().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                yield name, node, ast.unparse(node.func)


def is_constant(argument: ast.expr) -> bool:
    """Tell whether a statement is written down once: an UPPER_CASE name, a row of such a table, or text itself."""
    if isinstance(argument, ast.Starred) and isinstance(argument.value, ast.Tuple):
        return is_constant(argument.value.elts[0])
    if isinstance(argument, ast.Subscript):
        return is_constant(argument.value)
    if isinstance(argument, ast.Name | ast.Attribute):
        return (argument.id if isinstance(argument, ast.Name) else argument.attr).isupper()
    return isinstance(argument, ast.Constant)


def sql_of_text() -> list[str]:
    """Return the places that ask PostgreSQL something that is no constant."""
    direct = [
        f"{name}:{call.lineno}"
        for name, call, asked in calls()
        if asked.rpartition(".")[2] in ASKS and call.args and not is_constant(call.args[0]) and name not in LOOPS
    ]
    handed = [
        f"{name}:{call.lineno}"
        for name, call, asked in calls()
        if asked in HAND_ON and not is_constant(call.args[HAND_ON[asked]])
    ]
    return direct + handed


def test_sql_is_written_down_and_takes_values_as_parameters() -> None:
    """No statement is put together where it is used."""
    asked = sum(asked.rpartition(".")[2] in ASKS for _, _, asked in calls())

    assert (sql_of_text(), asked > 100) == ([], True)


def test_data_never_becomes_code() -> None:
    """No eval, no pickle, no YAML that makes objects; templates escape by themselves."""
    called = [f"{name}:{call.lineno}" for name, call, func in calls() if func in DATA_AS_CODE]
    imported = [
        f"{name}:{node.lineno}"
        for name, tree in modules().items()
        for node in ast.walk(tree)
        if (isinstance(node, ast.Import) and UNSAFE_MODULES & {each.name for each in node.names})
        or (isinstance(node, ast.ImportFrom) and node.module in UNSAFE_MODULES)
    ]

    assert (called, imported) == ([], [])
    assert rendering._ENVIRONMENT.autoescape is True


def test_no_callers_text_is_a_pattern() -> None:
    """Every regular expression is made of constants when its module is imported."""
    odd = [
        f"{name}:{call.lineno}"
        for name, call, func in calls()
        if func in PATTERNS and not all(name.isupper() for name in names_in(call.args[0]))
    ]

    assert odd == []


def names_in(argument: ast.expr) -> set[str]:
    """Return the names that an expression is made of."""
    return {part.id for part in ast.walk(argument) if isinstance(part, ast.Name)}


@pytest.mark.parametrize("argument", ['f"SELECT {x}"', '"SELECT " + x', "query", '"SELECT {}".format(x)'])
def test_the_search_would_find_one(argument: str) -> None:
    """A statement of text is none of the allowed forms."""
    assert not is_constant(ast.parse(argument, mode="eval").body)
