"""Tests of the lines for providers' slots."""
