"""Prices as they cross the border from the router."""

from razvilka.router.v1 import router_pb2 as pb

from services.gateway.clients.router.catalogue import _price


def test_free_cached_input_stays_free():
    """Zero is a price; taking it for absent would bill cached tokens that the provider gives away."""
    price = _price(pb.Price(input_micro_rub_per_1k=500_000, cached_micro_rub_per_1k=0))

    assert price.price.cached_micro_rub_per_1k == 0


def test_no_price_for_cached_input_means_the_price_of_input():
    """Absent is not zero."""
    price = _price(pb.Price(input_micro_rub_per_1k=500_000))

    assert price.price.cached_micro_rub_per_1k is None
