"""What each command does, once its options are read: ask the public API, print what it says.

Nothing here reads a command line, and no action knows another.
"""
