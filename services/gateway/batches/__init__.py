"""Batches: their routes, the look through their files, and the runner that has their lines answered one by one.

It never keeps a batch (the router does) and never bills: a line is asked through the route of its endpoint.
"""
