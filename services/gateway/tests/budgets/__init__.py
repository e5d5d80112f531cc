"""Tests of /v1/budgets."""
