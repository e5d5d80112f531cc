"""Tests of batches at the gateway."""
