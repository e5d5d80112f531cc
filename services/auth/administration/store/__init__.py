"""Reads people and the audit log, page by page."""
