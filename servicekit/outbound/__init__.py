"""Which addresses outbound connections may go to; the address that was checked is the one connected to.

Does not know what is sent there.
"""
