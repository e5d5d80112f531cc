"""A real Prometheus and a real Alertmanager for a block of code."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
import yaml

from tests.integration.waiting import wait_until
from tools.servers.ports import LOOPBACK, free_port
from tools.stack.home import REPOSITORY

OBSERVABILITY: Final = REPOSITORY / "deploy" / "observability"
RULES: Final = OBSERVABILITY / "rules"
START_S: Final = 60.0
STOP_S: Final = 20.0
SERVICES: Final = ("gateway", "auth", "router", "usage")


def program(*names: str) -> str:
    """Return where the first of these programs is; skip the test where none is."""
    found = next((path for name in names if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"{names[0]} is not on PATH: Debian's packages prometheus and prometheus-alertmanager have it")
    return found


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A running Prometheus."""

    url: str

    def query(self, expr: str) -> list[dict[str, Any]]:
        """Return the series of an expression now.

        Raises:
            ValueError: Prometheus refused it, and says why.
        """
        answer = httpx.get(f"{self.url}/api/v1/query", params={"query": expr}, trust_env=False, timeout=30).json()
        if answer["status"] != "success":
            raise ValueError(f"{expr}: {answer['error']}")
        return list(answer["data"]["result"])

    def firing(self) -> dict[str, str]:
        """Return the alarms that ring, with their summaries."""
        answer = httpx.get(f"{self.url}/api/v1/alerts", trust_env=False, timeout=30).json()
        ringing = [each for each in answer["data"]["alerts"] if each["state"] == "firing"]
        return {each["labels"]["alertname"]: each["annotations"]["summary"] for each in ringing}

    def scrapes(self) -> int:
        """Return how often the service that was scraped least was scraped well."""
        found = self.query('min(sum_over_time(up{job=~"razvilka-.+"}[1h]))')
        return int(float(found[0]["value"][1])) if found else 0

    def wait_for_scrapes(self, count: int) -> None:
        """Return when every service was scraped so many more times."""
        wanted = self.scrapes() + count
        wait_until(self.scrapes, lambda found: found >= wanted, within_s=START_S)


@contextmanager
def running_prometheus(
    folder: Path, targets: Mapping[str, str], *, rules: Sequence[Path], alertmanager: str = ""
) -> Iterator[Prometheus]:
    """Run a Prometheus that scrapes `targets` (service: host:port) every second, for the block."""
    executable = program("prometheus")
    folder.mkdir(parents=True, exist_ok=True)
    config = yaml.safe_load((OBSERVABILITY / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(path) for path in rules]
    config["alerting"] = {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}] if alertmanager else []}
    for job in config["scrape_configs"]:
        job["static_configs"] = [{"targets": [targets[job["job_name"].removeprefix("razvilka-")]]}]
    file = folder / "prometheus.yml"
    file.write_text(yaml.safe_dump(config))
    address = f"{LOOPBACK}:{free_port()}"
    command = [
        *(executable, f"--config.file={file}", f"--storage.tsdb.path={folder / 'data'}"),
        *(f"--web.listen-address={address}", "--enable-feature=exemplar-storage"),
    ]
    with _running(command, folder / "prometheus.log", f"http://{address}/-/ready"):
        yield Prometheus(f"http://{address}")


@contextmanager
def running_alertmanager(folder: Path, receiver: str) -> Iterator[str]:
    """Run an Alertmanager with our configuration, its waits shortened, that tells `receiver`; yield its host:port."""
    executable = program("prometheus-alertmanager", "alertmanager")
    folder.mkdir(parents=True, exist_ok=True)
    config = yaml.safe_load((OBSERVABILITY / "alertmanager.yml").read_text())
    waits = {"group_wait": "0s", "group_interval": "1s", "repeat_interval": "1h"}
    config["route"].update(waits)
    for route in config["route"]["routes"]:
        route.update(waits)
    for each in config["receivers"]:
        each["webhook_configs"][0]["url"] = f"{receiver}/{each['name']}"
    file = folder / "alertmanager.yml"
    file.write_text(yaml.safe_dump(config))
    address = f"{LOOPBACK}:{free_port()}"
    command = [
        *(executable, f"--config.file={file}", f"--storage.path={folder / 'data'}"),
        *(f"--web.listen-address={address}", "--cluster.listen-address="),
    ]
    with _running(command, folder / "alertmanager.log", f"http://{address}/-/ready"):
        yield address


@contextmanager
def _running(command: list[str], log: Path, ready_url: str) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    try:
        wait_until(lambda: _is_ready(process, log, ready_url), within_s=START_S)
        yield
    finally:
        process.terminate()
        process.wait(STOP_S)


def _is_ready(process: subprocess.Popen[bytes], log: Path, url: str) -> bool:
    if process.poll() is not None:
        raise AssertionError(f"{json.dumps(process.args)} ended at once: {log.read_text()[-2000:]}")
    try:
        return httpx.get(url, trust_env=False, timeout=2).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False
