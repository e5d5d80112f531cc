"""Tests of budgets and organizations."""
