"""Tests of the providers' status."""
