"""What docs/operations/compose.md tells an operator to type does what it says."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from tools.tests.compose_program import stand_in

PAGE = (Path(__file__).parents[2] / "docs" / "operations" / "compose.md").read_text()
TYPED = {"YOUR_KEY": "key 1", "YOUR_FOLDER": "folder-1", "MAIL_USER": "user@example.ru", "MAIL_PASSWORD": "it's $ecret"}


def test_credentials_arrive_though_sudo_passes_no_environment_on(tmp_path: Path) -> None:
    """The root shell expanded variables that it never had: every file was empty, and nothing said so."""
    # What sudo does unless it is told otherwise.
    stand_in(tmp_path / "bin", {"sudo": 'exec env -i PATH="$PATH" "$@"'})
    for service in ("auth", "router", "usage"):
        (tmp_path / "secrets" / service).mkdir(parents=True)
    commands = re.findall(r"^printf .* sudo .*$", PAGE, re.MULTILINE)

    path = {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}
    subprocess.run(["sh", "-euc", "\n".join(commands)], cwd=tmp_path, env=TYPED | path, check=True)

    written = {f"{file.parent.name}/{file.name}": file for file in (tmp_path / "secrets").rglob("*") if file.is_file()}
    assert {name: file.read_text() for name, file in written.items()} == {
        "router/ROUTER_YANDEX_API_KEY": TYPED["YOUR_KEY"],
        "router/ROUTER_YANDEX_FOLDER_ID": TYPED["YOUR_FOLDER"],
        "auth/AUTH_SMTP_USER": TYPED["MAIL_USER"],
        "usage/USAGE_MAIL_USER": TYPED["MAIL_USER"],
        "auth/AUTH_SMTP_PASSWORD": TYPED["MAIL_PASSWORD"],
        "usage/USAGE_MAIL_PASSWORD": TYPED["MAIL_PASSWORD"],
    }
    assert {file.stat().st_mode & 0o077 for file in written.values()} == {0}


def test_a_backup_that_is_brought_back_belongs_to_who_restores_it(tmp_path: Path) -> None:
    """`docker compose cp` keeps a stranger's owner: user 10001 could not read the folder, and found no backup."""
    kept, there = tmp_path / "backups" / "20261129T023000Z", tmp_path / "there"
    kept.mkdir(parents=True)
    there.mkdir()
    (kept / "figures.txt").write_text("usage.usage 7")
    kept.chmod(0o700)
    [command] = re.findall(r"^`(tar [^`]*backup tar [^`]*)`", PAGE, re.MULTILINE)

    # What the container runs, as its user.
    asked = command.replace("docker compose exec -T backup ", "").replace("-C /backups ", "-C there ")
    subprocess.run(["sh", "-euc", asked.replace("NAME", kept.name)], cwd=tmp_path, check=True)

    assert (there / kept.name / "figures.txt").read_text() == "usage.usage 7"
    assert "compose cp ./backups" not in PAGE
