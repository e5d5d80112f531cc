"""DSPy: a language model, a signature with typed fields, an embedder."""

import dspy
from steps import BASE_URL, EMBEDDINGS, KEY, MODEL, QUESTION, main, refused


def made(model=MODEL, key=KEY):
    return dspy.LM(f"openai/{model}", api_base=BASE_URL, api_key=key, cache=False, num_retries=0)


def chat():
    assert made()(QUESTION)[0]


def structured():
    with dspy.context(lm=made(), adapter=dspy.JSONAdapter()):
        assert isinstance(dspy.Predict("question -> city: str, degrees: int")(question=QUESTION).degrees, int)


def embeddings():
    vectors = dspy.Embedder(f"openai/{EMBEDDINGS}", api_base=BASE_URL, api_key=KEY, caching=False)
    assert len(vectors(["а", "б"])) == 2


def wrong_key():
    refused(lambda: made(key="rz_live_wrong")(QUESTION), 401)


def unknown_model():
    refused(lambda: made(model="nothing")(QUESTION), 404)


main(globals())
