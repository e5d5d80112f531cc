"""Generate `protos/gen` from the .proto files, or check it: `python -m tools.protos [--check]`."""

import filecmp
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

REPOSITORY: Final = Path(__file__).parents[1]
SOURCES: Final = REPOSITORY / "protos"
GENERATED: Final = SOURCES / "gen"


def generate(target: Path) -> None:
    """Write the Python modules and type stubs of every .proto file.

    Raises:
        SystemExit: the compiler refused a file.
    """
    target.mkdir(parents=True, exist_ok=True)
    outputs = [f"--{kind}_out={target}" for kind in ("python", "grpc_python", "mypy", "mypy_grpc")]
    files = sorted(str(file.relative_to(SOURCES)) for file in SOURCES.glob("razvilka/*/v1/*.proto"))
    command = [sys.executable, "-m", "grpc_tools.protoc", "-I", ".", *outputs, *files]
    # The plugins of mypy-protobuf are programs next to this Python, which need not be on the caller's PATH.
    path = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}
    done = subprocess.run(command, cwd=SOURCES, env=path, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"error: protoc: {done.stderr.strip()}")


def differences(generated: Path, expected: Path) -> list[str]:
    """Return the files that are missing, left over or different, relative to the folders."""
    ours, theirs = _files(generated), _files(expected)
    unlike = {name for name in ours & theirs if not filecmp.cmp(generated / name, expected / name, shallow=False)}
    return sorted((ours ^ theirs) | unlike)


def _files(folder: Path) -> set[str]:
    return {str(file.relative_to(folder)) for file in folder.rglob("*.py*") if "__pycache__" not in file.parts}


def check() -> None:
    """Compare `protos/gen` with what the .proto files give.

    Raises:
        SystemExit: they differ.
    """
    with tempfile.TemporaryDirectory() as folder:
        expected = Path(folder)
        generate(expected)
        wrong = differences(GENERATED, expected)
    if wrong:
        raise SystemExit(f"error: protos/gen is not what the .proto files give (run make protos): {', '.join(wrong)}")


if __name__ == "__main__":
    check() if "--check" in sys.argv[1:] else generate(GENERATED)
