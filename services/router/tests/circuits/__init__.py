"""Tests of the circuits."""
