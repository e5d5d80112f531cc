"""Clients of the running suite."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import openai
import pytest


@pytest.fixture
def client(stack: Any) -> Iterator[openai.OpenAI]:
    """The official client as its documentation sets it up: a base URL and a key."""
    with openai.OpenAI(base_url=f"{stack.url}/v1", api_key=stack.api_key, max_retries=0) as made:
        yield made


@pytest.fixture
async def async_client(stack: Any) -> AsyncIterator[openai.AsyncOpenAI]:
    """The official asynchronous client."""
    async with openai.AsyncOpenAI(base_url=f"{stack.url}/v1", api_key=stack.api_key, max_retries=0) as made:
        yield made


@pytest.fixture
def http(stack: Any) -> Iterator[httpx.Client]:
    """A plain HTTP client with the demo key."""
    with httpx.Client(base_url=stack.url, headers={"authorization": f"Bearer {stack.api_key}"}, timeout=30) as made:
        yield made
