"""Tests of pure decisions: no loop, no I/O."""
