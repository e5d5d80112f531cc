"""What the libraries alone cost: the smallest two processes that carry a request over the same parts as ours do.

They know no keys, limits, prices, routes, mapping or metrics of ours. Of our own code only the kit is in them: how it
opens Redis and gRPC, and the shared RPC (`servicekit.multiplex`).
"""

# Before gRPC, as in the services: it names the transport that gRPC takes, and gRPC reads that when it is first used.
import servicekit  # noqa: F401
