"""A backup as a folder: the journals, the secrets, the database, and what must be found again."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tools.backup.database import ELSEWHERE, BackupError, Figures, dump
from tools.backup.journals import PRIVATE, copy_journals, copy_segments_again
from tools.private_file import write_private

MANIFEST: Final = "manifest.json"
DATABASE_FILE: Final = "database.dump"
SECRETS_FILE: Final = "secrets.json"
JOURNALS: Final = "journals"
LAYOUT: Final = 1


def take(folder: Path, dsn: str, *, journals: Path, secrets: Path) -> Figures:
    """Make a backup in `folder` while everything runs, and return what its database holds.

    The journals come first: what is shipped from them afterwards is in the database too, where a request id has one row
    whatever is sent again. The other way round, records between the two would be in neither. Their segments come once
    more at the end: a request that ended in between would else have its row, and an estimate besides that is refused.

    Raises:
        BackupError: the folder is taken, or something cannot be read.
    """
    if folder.exists():
        raise BackupError(f"{folder} exists: name a folder that does not")
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(mode=PRIVATE, parents=True)
    try:
        found = _fill(part, dsn, journals, secrets)
        # Complete or not there: what was cut off in the middle is no backup, and is not taken for one.
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return found


def _fill(part: Path, dsn: str, journals: Path, secrets: Path) -> Figures:
    copy_journals(journals, part / JOURNALS)
    write_private(part / SECRETS_FILE, secrets.read_text())
    found = dump(dsn, part / DATABASE_FILE)
    (part / DATABASE_FILE).chmod(0o600)
    copy_segments_again(journals, part / JOURNALS)
    told = {"layout": LAYOUT, "taken_at": datetime.now(UTC).isoformat(), **asdict(found)}
    write_private(part / MANIFEST, json.dumps(told, indent=2))
    return found


def read_manifest(folder: Path) -> Figures:
    """Return what a backup's database must hold.

    Raises:
        BackupError: it is no backup, not whole, or of a layout that this release does not know.
    """
    try:
        told = json.loads((folder / MANIFEST).read_text())
    except (OSError, ValueError) as exc:
        raise BackupError(f"{folder} is no backup: {MANIFEST} cannot be read") from exc
    if not isinstance(told, dict) or told.get("layout") != LAYOUT:
        raise BackupError(f"{folder}/{MANIFEST}: layout {LAYOUT} is expected; restore with the release that made it")
    for name in (DATABASE_FILE, SECRETS_FILE, JOURNALS):
        if not (folder / name).exists():
            raise BackupError(f"{folder} is not whole: {name} is missing")
    try:
        return Figures(dict(told["rows"]), int(told["spent_micro_rub"]), int(told["summed_micro_rub"]))
    except KeyError as exc:
        raise BackupError(f"{folder}/{MANIFEST}: {exc.args[0]} is missing") from exc


def put_back(folder: Path, *, journals: Path, secrets: Path) -> None:
    """Lay a backup's secrets and journals where a suite that does not run yet will look for them.

    Raises:
        BackupError: there are some already.
    """
    for path in (journals, secrets):
        if path.exists():
            raise BackupError(f"{path} exists: {ELSEWHERE}")
    write_private(secrets, (folder / SECRETS_FILE).read_text())
    shutil.copytree(folder / JOURNALS, journals)
    journals.chmod(PRIVATE)
