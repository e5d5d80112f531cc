"""Tests of the public status."""
