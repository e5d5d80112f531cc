"""Tests of the dialects, over the wire against the emulator."""
