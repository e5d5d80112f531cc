"""DSPy: a language model and an embedder. Its signatures ask in prose, which the emulated model does not follow."""

import dspy
from steps import (
    BASE_URL,
    EMBEDDINGS,
    KEY,
    MODEL,
    NARROW_MODEL,
    QUESTION,
    SMALL_KEY,
    TOO_LONG,
    limited,
    main,
    refused_as,
)


def made(model=MODEL, key=KEY):
    return dspy.LM(f"openai/{model}", api_base=BASE_URL, api_key=key, cache=False, num_retries=0)


def chat():
    assert made()(QUESTION)[0]


def embeddings():
    vectors = dspy.Embedder(f"openai/{EMBEDDINGS}", api_base=BASE_URL, api_key=KEY, caching=False)
    assert len(vectors(["а", "б"])) == 2


def wrong_key():
    refused_as(lambda: made(key="rz_live_wrong")(QUESTION), "LMAuthError")


def unknown_model():
    refused_as(lambda: made(model="nothing")(QUESTION), "LMUnsupportedModelError")


def too_long():
    # The class by which its adapters shorten a trajectory.
    refused_as(lambda: made(model=NARROW_MODEL)(TOO_LONG), "ContextWindowExceededError")


def rate_limit():
    limited(lambda: made(key=SMALL_KEY)(QUESTION), "LMRateLimitError")


main(globals())
