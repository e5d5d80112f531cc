"""Many calls over a few long-lived bidirectional RPCs: frames, batching, credit, balance, draining.

Owns what happens between a caller and a handler; never knows a contract's messages, which a `Codec` translates.
"""

from servicekit.multiplex.client import MultiplexClient, open_client
from servicekit.multiplex.frames import (
    Answer,
    AnswerFrame,
    Call,
    CallFrame,
    Cancel,
    Codec,
    Credit,
    Draining,
    Failure,
)
from servicekit.multiplex.handlers import Handler, StreamHandler, UnaryHandler
from servicekit.multiplex.server import MultiplexServer
from servicekit.multiplex.settings import MultiplexClientSettings, MultiplexServerSettings

__all__ = [
    "Answer",
    "AnswerFrame",
    "Call",
    "CallFrame",
    "Cancel",
    "Codec",
    "Credit",
    "Draining",
    "Failure",
    "Handler",
    "MultiplexClient",
    "MultiplexClientSettings",
    "MultiplexServer",
    "MultiplexServerSettings",
    "StreamHandler",
    "UnaryHandler",
    "open_client",
]
