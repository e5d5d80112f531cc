"""A Redis Cluster as `servicekit.redis` opens it for those whose settings name one.

It never knows whose keys there are, nor which of them belong together.
"""
