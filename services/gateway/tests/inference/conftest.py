"""Fixtures of several files of the room."""

from services.gateway.tests.inference.priced_requests import pricing

__all__ = ["pricing"]
