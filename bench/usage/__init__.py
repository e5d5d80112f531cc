"""Measures usage at size: a database of millions of requests, every question behind the endpoints, and ingest.

It has a PostgreSQL of its own, which it throws away. It promises nothing about the gateway's share of an answer.
"""
