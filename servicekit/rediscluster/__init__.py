"""The Redis Cluster client, opened by `servicekit.redis` when the settings name a cluster.

Knows nothing of the keys, nor which of them belong together.
"""
