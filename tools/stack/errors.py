"""What stops `make up`, as one line for the person who typed it."""

from tools.servers.errors import ServerError


class StackError(ServerError):
    """The suite cannot be started or stopped; the message says why and what to do."""
