"""Which services may call each RPC. An RPC without a row is not served (after Boulder's caller lists)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import grpc

from servicekit.errors import ErrorReason, PermissionDenied

# A name that no public authority would sign, so that a certificate of the world never passes for one of ours.
DOMAIN: Final = "razvilka.internal"
SUBJECT_NAMES: Final = "x509_subject_alternative_name"
HEALTH: Final = "/grpc.health."


def name_of(service: str) -> str:
    """Return the name that a service's certificate carries."""
    return f"{service}.{DOMAIN}"


class MissingRow(SystemExit):
    """A served RPC has no row, or a row has no RPC: the service must not start."""


class CallPolicy:
    """Who may call which RPC.

    Args:
        rows: full method (`/razvilka.auth.v1.AuthService/CreateUser`) -> short names of the services that may call it.
    """

    def __init__(self, rows: Mapping[str, Iterable[str]]) -> None:
        # As gRPC gives names, so that nothing is decoded on the way of every call.
        self._rows = {
            method: frozenset(name_of(caller).encode() for caller in callers) for method, callers in rows.items()
        }

    def check_complete(self, served: Iterable[str]) -> None:
        """Do nothing when rows and served RPCs are the same.

        Raises:
            MissingRow: they are not; the message names the first that is in one only.
        """
        methods = {method for method in served if not method.startswith(HEALTH)}
        for method in sorted(methods - set(self._rows)):
            raise MissingRow(f"no row says who may call {method}")
        for method in sorted(set(self._rows) - methods):
            raise MissingRow(f"a row names {method}, which is not served")

    def check(self, method: str, peer: grpc.aio.ServicerContext[Any, Any]) -> None:
        """Do nothing when the certificate at the other end names a service that may call the method.

        Raises:
            PermissionDenied: it does not.
        """
        if self._rows.get(method, frozenset()).isdisjoint(peer.auth_context().get(SUBJECT_NAMES, ())):
            raise PermissionDenied(ErrorReason.PERMISSION_DENIED, "This service may not make this call.")


def names_of(peer: grpc.aio.ServicerContext[Any, Any]) -> frozenset[str]:
    """Return the names in the certificate at the other end; none without TLS."""
    return frozenset(name.decode(errors="replace") for name in peer.auth_context().get(SUBJECT_NAMES, ()))


class RegisteredMethods:
    """Wraps a server while servicers are added, and records the methods that they serve."""

    def __init__(self, server: grpc.aio.Server) -> None:
        """Note nothing yet."""
        self._server = server
        self.methods: set[str] = set()

    def add_generic_rpc_handlers(self, handlers: Any) -> None:
        """Pass on; generated code names the methods in the other call."""
        self._server.add_generic_rpc_handlers(handlers)

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, Any]) -> None:
        """Note the methods and pass on."""
        self.methods |= {f"/{service}/{method}" for method in handlers}
        self._server.add_registered_method_handlers(service, handlers)
