"""DSPy: a language model and an embedder. Its signatures ask in prose, which the emulated model does not follow."""

import dspy
from steps import (
    BASE_URL,
    EMBEDDINGS,
    ENDLESS,
    KEY,
    MODEL,
    NARROW_MODEL,
    QUESTION,
    SMALL_KEY,
    TOO_LONG,
    let_go,
    limited,
    main,
    refused_as,
)


def made(model=MODEL, key=KEY):
    return dspy.LM(f"openai/{model}", api_base=BASE_URL, api_key=key, cache=False, num_retries=0)


def chat():
    assert made()(QUESTION)[0]


class Ask(dspy.Module):
    """A program that asks what it is asked, and answers with the model's own words."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    async def aforward(self, question):
        """Ask once."""
        return dspy.Prediction(answer=(await self.model.acall(question))[0])


def streamed(question, key=KEY):
    return dspy.streamify(Ask(made(key=key)), is_async_program=True)(question=question)


async def stream():
    *pieces, whole = [piece async for piece in streamed(QUESTION)]
    assert "".join(piece.choices[0].delta.content or "" for piece in pieces) == whole.answer != ""


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


async def cancel():
    await let_go(streamed(ENDLESS, SMALL_KEY))


def rate_limit():
    limited(lambda: made(key=SMALL_KEY)(QUESTION), "LMRateLimitError")


main(globals())
