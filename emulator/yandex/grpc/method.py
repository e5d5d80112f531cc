"""What is known of one gRPC method."""

from dataclasses import dataclass

from google.protobuf.message import Message


@dataclass(frozen=True, slots=True)
class Method:
    """One method; the path may name fields of the request.

    `streams`: it answers with many messages; `listens`: it takes many, and a dialogue of the surface answers them.
    """

    service: str
    name: str
    request: type[Message]
    response: type[Message]
    verb: str
    path: str
    streams: bool = False
    listens: bool = False
