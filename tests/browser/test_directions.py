"""Names that are read from the right, on pages that are read from the left."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser as Chromium

from tests.browser.test_partial_updates import visitor_of
from tests.browser.visiting import DESK, context_of, running_chromium
from tools.stack.running_stack import RunningStack

NAME = "مفتاح"
# Where a text of an element begins, in pixels from the left.
LEFT = """(card, text) => {
  const walker = document.createTreeWalker(card, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
    const at = node.data.indexOf(text);
    if (at >= 0) {
      const range = document.createRange();
      range.setStart(node, at);
      range.setEnd(node, at + text.length);
      return range.getBoundingClientRect().left;
    }
  }
  return null;
}"""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Chromium]:
    """Chromium as it is installed on this machine."""
    with running_chromium() as launched:
        yield launched


def test_an_amount_stands_behind_the_name_that_it_is_of(chromium: Chromium, stack: RunningStack) -> None:
    """And not within the quotation marks of the name."""
    order = {"name": NAME, "scopes": ["models:read"], "budget": {"limit_micro_rub": 1_500_000_000, "period": "month"}}
    headers = {"authorization": f"Bearer {stack.api_key}"}
    made = httpx.post(f"{stack.url}/v1/keys", json=order, headers=headers, trust_env=False, timeout=60)
    made.raise_for_status()
    with context_of(chromium, "en", DESK) as context:
        visitor = visitor_of(context, stack)
        visitor.open("/console/budgets?lang=en")
        card = visitor.page.locator(".cards > li", has_text=NAME).first
        name, amount = [card.evaluate(LEFT, text) for text in (NAME, "1,500")]

    assert name < amount
