"""The entrance for usage rows of release 1.0: beside `Record`, with the same inserts and rollups. Reads no source."""
