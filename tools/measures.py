"""`make lint`'s measure of the house: how long files and functions are, and how many files stand in a folder.

Tests and generated code are not measured; docstrings of everything public are ruff's (D).
"""

import ast
import math
import statistics
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Final

REPOSITORY: Final = Path(__file__).parents[1]
FILE_LINES: Final = 300
FUNCTION_MEDIAN_LINES: Final = 8
FUNCTION_P90_LINES: Final = 20
FOLDER_FILES: Final = 16
# Folders that are still to be parted into rooms. One that is gone or small enough leaves this list.
CROWDED: Final[frozenset[str]] = frozenset()
# What every package has is no content: its docstring, and its entry point.
NOT_COUNTED: Final = ("__init__.py", "__main__.py")


def is_measured(path: str) -> bool:
    """Say whether a path of the repository is Python that we write and that is no test."""
    generated = path.startswith("protos/gen/") or path.endswith("_pb2.py")
    return path.endswith(".py") and "tests" not in path.split("/") and not generated


def function_lengths(source: str) -> list[int]:
    """Return the lines of every function, signature included, docstring and decorators not."""
    functions = (
        node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    return [_last_line(node) - node.lineno + 1 - _docstring_lines(node) for node in functions]


def _last_line(node: ast.stmt) -> int:
    return node.end_lineno or node.lineno


def _docstring_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    if ast.get_docstring(node) is None:
        return 0
    return _last_line(node.body[0]) - node.body[0].lineno + 1


def long_files(lines: dict[str, int]) -> list[str]:
    """Return a complaint for every file that is too long."""
    return [f"{path}: {count} lines, {FILE_LINES} at most" for path, count in lines.items() if count > FILE_LINES]


def long_functions(lengths: list[int]) -> list[str]:
    """Return a complaint when functions are too long on the whole."""
    median, p90 = statistics.median(lengths), _p90(lengths)
    complaints = []
    if median > FUNCTION_MEDIAN_LINES:
        complaints.append(f"the median function has {median:g} lines, {FUNCTION_MEDIAN_LINES} at most")
    if p90 > FUNCTION_P90_LINES:
        complaints.append(f"the ninetieth percentile of functions has {p90} lines, {FUNCTION_P90_LINES} at most")
    return complaints


def _p90(lengths: list[int]) -> int:
    return sorted(lengths)[math.ceil(0.9 * len(lengths)) - 1]


def crowded_folders(paths: Iterable[str], known: frozenset[str] = CROWDED) -> list[str]:
    """Return a complaint for every folder with too many files, and for every exception that is none any more."""
    counted = [PurePosixPath(path) for path in paths if not path.endswith(NOT_COUNTED)]
    files = Counter(str(path.parent) for path in counted)
    found = {folder for folder, count in files.items() if count > FOLDER_FILES}
    new = [f"{folder}: {files[folder]} files, {FOLDER_FILES} at most" for folder in sorted(found - known)]
    return new + [f"{folder} is not crowded any more: take it out of CROWDED" for folder in sorted(known - found)]


def main() -> int:
    """Print the measures and every complaint; return the process's exit code."""
    sources = {path: (REPOSITORY / path).read_text() for path in _measured_paths()}
    lengths = [length for source in sources.values() for length in function_lengths(source)]
    lines = {path: len(source.splitlines()) for path, source in sources.items()}
    complaints = [*long_files(lines), *long_functions(lengths), *crowded_folders(sources)]
    print(
        f"{len(lines)} files, longest {max(lines.values())} lines; {len(lengths)} functions, "
        f"median {statistics.median(lengths):g} lines, ninetieth percentile {_p90(lengths)}"
    )
    for complaint in complaints:
        print(f"error: {complaint}", file=sys.stderr)
    return 1 if complaints else 0


def _measured_paths() -> list[str]:
    # Files that git does not know yet too: they are about to be committed.
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py"]
    listed = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    return [path for path in sorted(set(listed.splitlines())) if is_measured(path) and (REPOSITORY / path).exists()]


if __name__ == "__main__":
    sys.exit(main())
