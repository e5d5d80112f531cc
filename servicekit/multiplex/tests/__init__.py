"""Tests of the shared RPC."""
