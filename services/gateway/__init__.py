"""The HTTP edge: the public API, admission, the metering journal."""
