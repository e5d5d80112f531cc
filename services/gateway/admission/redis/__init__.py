"""The Lua scripts that decide, the conventions they share with Python, and the one connection they run on.

It never knows what a refusal tells the caller, and no constant stands in Lua and in Python at once.
"""
