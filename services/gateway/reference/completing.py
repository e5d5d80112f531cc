"""One pass over the description that FastAPI makes: what it cannot know is added, in an order that matters."""

from __future__ import annotations

from services.gateway.reference.errors import declare_errors
from services.gateway.reference.examples import add_examples
from services.gateway.reference.glossary import describe_fields, describe_tags
from services.gateway.reference.operations import Whole, name_operations
from services.gateway.reference.protocol import add_protocol
from services.gateway.reference.repeating import declare_keys
from services.gateway.reference.samples import add_samples
from services.gateway.reference.security import NeedOf, declare_security

LICENSE = {"name": "Apache-2.0", "identifier": "Apache-2.0"}


def complete(whole: Whole, need_of: NeedOf) -> None:
    """Make the description whole: names, words, scopes, errors, examples, samples."""
    whole["info"]["license"] = dict(LICENSE)
    whole["servers"] = [{"url": "/", "description": "This gateway."}]
    name_operations(whole)
    add_protocol(whole)
    declare_security(whole, need_of)
    declare_keys(whole)
    describe_tags(whole)
    describe_fields(whole)
    add_examples(whole)
    # They show the examples.
    add_samples(whole)
    declare_errors(whole)
