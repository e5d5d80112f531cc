"""Generate Python from the .proto files, ours and the emulator's, or check it: `python -m tools.protos [--check]`."""

import filecmp
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Final

REPOSITORY: Final = Path(__file__).parents[1]
SOURCES: Final = REPOSITORY / "protos"
GENERATED: Final = SOURCES / "gen"
# A provider's messages, for the emulator alone; the code stands beside them.
EMULATOR: Final = Path("emulator/yandex/protos")


def generate(target: Path) -> None:
    """Write the Python modules and type stubs of every .proto file of the services.

    Raises:
        SystemExit: the compiler refused a file.
    """
    files = sorted(SOURCES.glob("razvilka/*/v1/*.proto"))
    _compile(SOURCES, files, target, kinds=("python", "grpc_python", "mypy", "mypy_grpc"))


def generate_emulator(target: Path) -> None:
    """Write the messages that the emulator speaks, below `target` as below the repository.

    Raises:
        SystemExit: the compiler refused a file.
    """
    _compile(REPOSITORY, sorted((REPOSITORY / EMULATOR).rglob("*.proto")), target, kinds=("python", "mypy"))


def _compile(root: Path, files: list[Path], target: Path, *, kinds: tuple[str, ...]) -> None:
    target.mkdir(parents=True, exist_ok=True)
    outputs = [f"--{kind}_out={target}" for kind in kinds]
    names = [str(file.relative_to(root)) for file in files]
    # Google's own messages lie beside their Python modules.
    folders = ["-I", ".", "-I", sysconfig.get_path("purelib")]
    command = [sys.executable, "-m", "grpc_tools.protoc", *folders, *outputs, *names]
    # The plugins of mypy-protobuf are programs next to this Python, which need not be on the caller's PATH.
    path = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}
    done = subprocess.run(command, cwd=root, env=path, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"error: protoc: {done.stderr.strip()}")


def differences(generated: Path, expected: Path) -> list[str]:
    """Return the files that are missing, left over or different, relative to the folders."""
    ours, theirs = _files(generated), _files(expected)
    unlike = {name for name in ours & theirs if not filecmp.cmp(generated / name, expected / name, shallow=False)}
    return sorted((ours ^ theirs) | unlike)


def _files(folder: Path) -> set[str]:
    return {str(file.relative_to(folder)) for file in folder.rglob("*_pb2*.py*") if "__pycache__" not in file.parts}


def check() -> None:
    """Compare the committed code with what the .proto files give.

    Raises:
        SystemExit: they differ.
    """
    with tempfile.TemporaryDirectory() as folder:
        expected = Path(folder)
        generate(expected / "services")
        generate_emulator(expected / "all")
        wrong = differences(GENERATED, expected / "services")
        wrong += differences(REPOSITORY / EMULATOR, expected / "all" / EMULATOR)
    if wrong:
        raise SystemExit(f"error: generated code is not what .proto files give (run make protos): {', '.join(wrong)}")


def main(arguments: list[str]) -> None:
    """Check, or write everything."""
    if "--check" in arguments:
        check()
        return
    generate(GENERATED)
    generate_emulator(REPOSITORY)


if __name__ == "__main__":
    main(sys.argv[1:])
