"""Random requests like those of ordinary callers."""

from __future__ import annotations

import random
from typing import Any, Final

import msgspec

from services.gateway.inference.conversation import normalise
from services.gateway.schemas.inference import ChatRequest

_RUSSIAN: Final = "и в не что он на я с как это по но они к у ты из мы за вы так же от все договор поставка"
_ENGLISH: Final = "the of and to in is that for it as with was on be by this contract delivery summary please"
_CODE: Final = "def f(x): return x[i] += 1; if (a && b) { print('ok') } // for i in range(10)"
RUSSIAN, ENGLISH, CODE = [text.split(" ") for text in (_RUSSIAN, _ENGLISH, _CODE)]


def ordinary(rng: random.Random) -> ChatRequest:
    """Return a request of an ordinary caller: prose or code; two in five say how long the answer may be."""
    words = rng.choices((RUSSIAN, ENGLISH, CODE), (60, 25, 15))[0]
    text = " ".join(rng.choices(words, k=max(3, int(rng.lognormvariate(4.5, 0.8)))))
    told = max(8, int(rng.lognormvariate(5.0, 0.6)))
    body: dict[str, Any] = {"messages": [{"role": "user", "content": f"{text} [[tokens:{told}]]"}]}
    if rng.random() < 0.4:
        body["max_tokens"] = rng.choice((256, 512, 1024))
    return request_of(body)


def request_of(body: dict[str, Any]) -> ChatRequest:
    """Return a body as the gateway decodes and checks it."""
    request = msgspec.json.decode(msgspec.json.encode({"model": "m", **body}), type=ChatRequest)
    normalise(request)
    return request
