"""`make assets`: the files of others that pages are served with, fetched again from their packages and compared.

Each folder of `services/gateway/pages/vendor` names its npm package, its version and the SHA-256 of every file in its
README. Needs npm and a network. The exit status is 1 when a file is not the package's.
"""

import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Final

VENDORED: Final = Path(__file__).parents[1] / "services" / "gateway" / "pages" / "vendor"
README: Final = "README.md"
PACKAGE: Final = re.compile(r"npm package `([@a-z0-9/._-]+)`")
VERSION: Final = re.compile(r"[Vv]ersion (\d+\.\d+\.\d+[\w.-]*?)\.?$", re.MULTILINE)
DIGEST: Final = re.compile(r"^\| `([^`]+)` \| `([0-9a-f]{64})` \|$", re.MULTILINE)


def said_of(folder: Path) -> tuple[str, str, dict[str, str]]:
    """Return a folder's package, version and the digests of its files by name.

    Raises:
        ValueError: its README does not say so.
    """
    text = (folder / README).read_text("utf-8")
    package, version, digests = PACKAGE.search(text), VERSION.search(text), dict(DIGEST.findall(text))
    if package is None or version is None or not digests:
        raise ValueError(f"{folder / README} must name the npm package, its version and the SHA-256 of each file")
    return package[1], version[1], digests


def differences(folder: Path, fetched: dict[str, bytes]) -> Iterator[str]:
    """Return what is wrong with the files of a folder, given those of its package by their last name."""
    for name, digest in said_of(folder)[2].items():
        here = (folder / name).read_bytes() if (folder / name).exists() else b""
        if sha256(here).hexdigest() != digest:
            yield f"{folder.name}/{name} is not what {README} says"
        if fetched.get(name) != here:
            yield f"{folder.name}/{name} is not the package's"


def fetch(package: str, version: str) -> dict[str, bytes]:
    """Return the files of a package by their last name; of two with the same name the one nearer to its root."""
    with tempfile.TemporaryDirectory() as place:
        command = ["npm", "pack", f"{package}@{version}", "--silent", "--pack-destination", place]
        subprocess.run(command, check=True, cwd=place, stdout=subprocess.DEVNULL)
        with tarfile.open(next(Path(place).glob("*.tgz"))) as archive:
            members = sorted((each for each in archive if each.isfile()), key=lambda each: -each.name.count("/"))
            return {Path(each.name).name: _content(archive, each) for each in members}


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(member)
    return file.read() if file else b""


def main() -> int:
    """Compare every folder; return the exit status."""
    wrong: list[str] = []
    for folder in sorted(each for each in VENDORED.iterdir() if each.is_dir()):
        package, version, digests = said_of(folder)
        wrong += differences(folder, fetch(package, version))
        print(f"{package} {version}: {len(digests)} files")
    for complaint in wrong:
        print(f"error: {complaint}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
