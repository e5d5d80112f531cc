"""Break something: the emulated GigaChat of a local suite fails for a minute, and its effect is beside the button.

It is there for visitors at this machine only, and never breaks anything but what the emulator plays.
"""
