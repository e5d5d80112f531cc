"""A gRPC channel that can be replaced while stubs keep using it: grpcio reads a client certificate only once."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import grpc


class _Method:
    """One method of a stub, called over the newest channel."""

    __slots__ = ("__weakref__", "_call", "_make")

    def __init__(self, make: Callable[[grpc.aio.Channel], Any], channel: grpc.aio.Channel) -> None:
        self._make = make
        self._call = make(channel)

    def renew(self, channel: grpc.aio.Channel) -> None:
        self._call = self._make(channel)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return self._call(*arguments, **named)


class RenewedChannel:
    """Takes the place of a channel when stubs are made."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        """Begin with a channel."""
        self.current = channel
        # Weakly: a stub that is made for one call must not be kept for ever.
        self._methods: weakref.WeakSet[_Method] = weakref.WeakSet()

    def renew(self, channel: grpc.aio.Channel) -> grpc.aio.Channel:
        """Make every stub call over another channel from now on, and return the one before it."""
        before, self.current = self.current, channel
        for method in list(self._methods):
            method.renew(channel)
        return before

    def unary_unary(self, *arguments: Any, **named: Any) -> _Method:
        """Return a method that a stub calls."""
        return self._add(lambda channel: channel.unary_unary(*arguments, **named))

    def unary_stream(self, *arguments: Any, **named: Any) -> _Method:
        """Return a method that a stub calls."""
        return self._add(lambda channel: channel.unary_stream(*arguments, **named))

    def stream_unary(self, *arguments: Any, **named: Any) -> _Method:
        """Return a method that a stub calls."""
        return self._add(lambda channel: channel.stream_unary(*arguments, **named))

    def stream_stream(self, *arguments: Any, **named: Any) -> _Method:
        """Return a method that a stub calls."""
        return self._add(lambda channel: channel.stream_stream(*arguments, **named))

    def _add(self, make: Callable[[grpc.aio.Channel], Any]) -> _Method:
        method = _Method(make, self.current)
        self._methods.add(method)
        return method
