"""`make migrate-demo`, judged by the checker: it shows what it says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.migration.installation import Installation
from tools.migrate_demo.__main__ import show


# Eight programs one after another, on machines that are busy with other tests.
@pytest.mark.timeout(600)
def test_every_row_of_the_demo_has_one_fate_though_1_0_wrote_meanwhile(
    target: Installation, postgres_admin_dsn: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    environment = {**os.environ, **target.dsns, "RAZVILKA_SCRATCH_DSN": postgres_admin_dsn}

    status = show(tmp_path, 200, environment)

    said = capfd.readouterr().out
    assert status == 0, said
    assert "\n1.1 has it all" in said
    assert "1.0: database is locked" in said
    assert target.problems(tmp_path / "gateway-1.0.db", tmp_path / "report") == []
