"""One page: its bytes with everything that it fetches, and the milliseconds until its last one."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass

import httpx

from tools.page_weight import MOST_BYTES, assets_of


@dataclass(frozen=True, slots=True)
class Measured:
    """A page as it was measured: bytes as they travel, milliseconds of the median and of the 95th percentile."""

    path: str
    whose: str
    page_bytes: int
    all_bytes: int
    p50_ms: float
    p95_ms: float
    limit_ms: float

    @property
    def is_within(self) -> bool:
        """Tell whether it keeps both limits."""
        return self.p95_ms <= self.limit_ms and self.all_bytes <= MOST_BYTES

    def row(self) -> str:
        """Return it as a row of the table."""
        verdict = "" if self.is_within else " **over**"
        sizes = f"{self.page_bytes / 1000:.1f} | {self.all_bytes / 1000:.1f}"
        times = f"{self.p50_ms:.0f} | {self.p95_ms:.0f}{verdict} | {self.limit_ms:.0f}"
        return f"| `{self.path}` | {self.whose} | {sizes} | {times} |"


HEAD = "| page | whose | kB | kB with all | p50 ms | p95 ms | limit |\n|---|---|---|---|---|---|---|"


def measure(client: httpx.Client, path: str, whose: str, limit_ms: float, rounds: int) -> Measured:
    """Ask for a page so many times.

    Raises:
        RuntimeError: it is not shown.
    """
    page = client.get(path)
    if page.status_code != 200:
        raise RuntimeError(f"{path} was answered by {page.status_code}")
    fetched = sum(_bytes(client.get(address)) for address in assets_of(page.text))
    taken = [_time_ms(client, path) for _ in range(rounds)]
    slow = statistics.quantiles(taken, n=20, method="inclusive")[-1]
    return Measured(path, whose, _bytes(page), _bytes(page) + fetched, statistics.median(taken), slow, limit_ms)


def _bytes(answer: httpx.Response) -> int:
    return answer.raise_for_status().num_bytes_downloaded


def _time_ms(client: httpx.Client, path: str) -> float:
    begin = time.perf_counter()
    # Its packed bytes are read, not unpacked: that is the browser's time.
    with client.stream("GET", path) as answer:
        for _ in answer.iter_raw():
            pass
    return (time.perf_counter() - begin) * 1000
