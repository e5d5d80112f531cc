"""What runbooks set in type, by kind: commands, queries, statements, settings, names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from tools.stack.home import REPOSITORY

RUNBOOKS: Final = sorted((REPOSITORY / "docs" / "operations" / "runbooks").glob("*.md"))
FENCED: Final = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
SPAN: Final = re.compile(r"`([^`\n]+)`")
FUNCTIONS: Final = r"rate|increase|sum|max|min|abs|time|topk|histogram_quantile"
PROMQL: Final = re.compile(rf"\brazvilka[_:]\w|^\W*(?:{FUNCTIONS})\b.*\(|^up\b|^process_\w+$")
MATCHER: Final = re.compile(r'(\w+)(=~|!=|!~|=)"([^"]*)"')
# Of other people.
PROGRAMS: Final = {
    *("chronyc tracking", "cp -a", "df -h", "df -i", "dmesg", "pg_dump -n auth", "redis-cli ACL LOG"),
    *("py-spy dump", "py-spy dump --pid", "openssl x509 -enddate -noout -in tls.crt"),
    *("cat /proc/PID/limits", "prlimit --fsize=unlimited --pid PID"),
}
SETTING: Final = re.compile(r"^(?:<SERVICE>|[A-Z]+)_[A-Z…_]+$")


def spans() -> Iterator[tuple[str, str]]:
    """Yield each page's name with what it sets in type: queries and commands by their lines."""
    for page in RUNBOOKS:
        text = page.read_text()
        for _, block in FENCED.findall(text):
            yield from ((page.stem, line) for line in block.splitlines() if line)
        yield from ((page.stem, span) for span in SPAN.findall(FENCED.sub("", text)))


def kind_of(span: str) -> str:
    """Return what a span is; "name" for what is none of the others."""
    first = span.partition(" ")[0]
    if first in ("GET", "POST", "DELETE", "PUT", "PATCH"):
        return "route"
    if first in ("make", "docker", "kubectl", "python") or span in PROGRAMS:
        return "command"
    if first == "SELECT":
        return "sql"
    if PROMQL.search(span) or MATCHER.search(span):
        return "promql"
    return "setting" if SETTING.match(span) else "name"


def of_kind(kind: str) -> list[tuple[str, str]]:
    """Return the spans of a kind, with their pages."""
    found = [(page, span) for page, span in spans() if kind_of(span) == kind]
    assert found
    return found


def statements() -> list[tuple[str, str]]:
    """Return the statements of SQL, also those that `make psql` is given, with their pages."""
    given = [(page, re.search(r'-c \\"(.*)\\""$', text)) for page, text in of_kind("command")]
    return of_kind("sql") + [(page, match.group(1)) for page, match in given if match]
