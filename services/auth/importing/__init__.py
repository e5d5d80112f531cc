"""Imports accounts and keys of another installation: idempotent, kept apart by source, and reversible."""
