"""Which Python `make setup` takes of those that are on the PATH."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parent.parent / "find_python.sh"
# What stands for an interpreter says of itself how it was built, and runs what it is given.
INTERPRETER = """#!/bin/sh
exec {python} -c '
import sys, sysconfig
sysconfig.get_config_vars()["CONFIG_ARGS"] = "{arguments}"
sys.base_prefix = "{prefix}"
sys.version_info = {version}
exec(sys.argv[2])' "$@"
"""
OPTIMISED = "--enable-shared --enable-optimizations"


def found(*folders: Path, python: str = "") -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.pathsep.join(map(str, folders)), "PYTHON": python}
    return subprocess.run(
        ["/bin/bash", str(SCRIPT)], env=environment, capture_output=True, text=True, check=False, timeout=120
    )


def interpreter(
    folder: Path, arguments: str, *, name: str = "python3.11", prefix: str = "/opt/python", minor: int = 11
) -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / name
    file.write_text(
        INTERPRETER.format(python=sys.executable, arguments=arguments, prefix=prefix, version=(3, minor, 7))
    )
    file.chmod(0o755)
    return file


def test_an_optimised_python_of_the_version_is_taken_before_one_that_comes_first(tmp_path: Path) -> None:
    interpreter(tmp_path / "plain", "--enable-shared")
    optimised = interpreter(tmp_path / "optimised", OPTIMISED)
    assert found(tmp_path / "plain", tmp_path / "optimised").stdout == f"{optimised}\n"


def test_the_python_of_a_distribution_counts_as_optimised(tmp_path: Path) -> None:
    interpreter(tmp_path / "plain", "--enable-shared")
    distribution = interpreter(tmp_path / "distribution", "--enable-shared", prefix="/usr")
    assert found(tmp_path / "plain", tmp_path / "distribution").stdout == f"{distribution}\n"


def test_the_first_of_the_path_is_taken_where_none_is_optimised(tmp_path: Path) -> None:
    first = interpreter(tmp_path / "first", "")
    interpreter(tmp_path / "second", "")
    assert found(tmp_path / "first", tmp_path / "second").stdout == f"{first}\n"


def test_the_version_of_the_lock_goes_before_an_optimised_one_of_another(tmp_path: Path) -> None:
    locked = interpreter(tmp_path / "bin", "")
    interpreter(tmp_path / "bin", OPTIMISED, name="python3.13", minor=13)
    assert found(tmp_path / "bin").stdout == f"{locked}\n"


def test_a_name_that_a_version_manager_left_behind_is_passed_over(tmp_path: Path) -> None:
    left = interpreter(tmp_path / "bin", "")
    left.write_text("#!/bin/sh\nexit 127\n")
    later = interpreter(tmp_path / "bin", "", name="python3.12", minor=12)
    assert found(tmp_path / "bin").stdout == f"{later}\n"


def test_a_python_that_was_named_is_taken_as_it_is_or_refused(tmp_path: Path) -> None:
    interpreter(tmp_path / "optimised", OPTIMISED)
    named = interpreter(tmp_path / "named", "", name="mine", minor=14)
    assert found(tmp_path / "optimised", python=str(named)).stdout == f"{named}\n"
    old = interpreter(tmp_path / "old", OPTIMISED, name="old", minor=10)
    refused = found(tmp_path / "optimised", python=str(old))
    assert (refused.returncode, refused.stderr) == (1, f"error: {old} is not a Python 3.11 or later\n")


def test_a_path_without_a_recent_python_is_told_what_to_do(tmp_path: Path) -> None:
    interpreter(tmp_path / "bin", OPTIMISED, name="python3", minor=9)
    (tmp_path / "bin" / "head").symlink_to(shutil.which("head") or "/usr/bin/head")
    refused = found(tmp_path / "bin")
    assert refused.returncode == 1
    assert "Python 3.11 or later is needed" in refused.stderr
    assert "PYTHON=/path/to/python make setup" in refused.stderr
