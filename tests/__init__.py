"""Tests of the whole suite through its public face."""
