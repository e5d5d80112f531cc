"""Load, latency and CPU of the whole suite, measured the same way every time: `make bench`."""
