"""Rotation by command, while the suite serves: the signing key, the pepper, a database password, the certificates.

It never decides when an old secret is worthless: the overlap does, and docs/operations/rotation.md says how long it is.
"""
