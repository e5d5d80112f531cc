"""Tests of what administrators see."""
