"""What can go wrong with a server on this machine, as one line that a person can act on."""


class ServerError(Exception):
    """A server cannot be found, prepared or started; the message says why and what to do."""
