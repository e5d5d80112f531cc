"""A connection whose end lets the last answer arrive (RFC 9112 9.6).

Closing a socket while the other side still sends resets the connection, and the reset overtakes the answer. So the
server's half is closed first, what still comes is thrown away, and after so many bytes or seconds it is over. Who still
reads what was buffered for it is waited for as long as while it was written.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

LINGER_S: Final = 10.0
LINGER_BYTES: Final = 64 * 1024 * 1024


class LingeringTransport(asyncio.Transport):
    """The connection's transport with another `close`. Nothing is added to the way of most writes.

    Args:
        transport: the socket's.
        is_unread: tells whether the other side may still be sending what nobody will read.
        unread_s: seconds in which something must be read of what is buffered.
    """

    def __init__(self, transport: asyncio.Transport, is_unread: Callable[[], bool], unread_s: float) -> None:
        super().__init__()
        self.write = transport.write  # type: ignore[method-assign]
        self.get_extra_info = transport.get_extra_info  # type: ignore[method-assign]
        self.get_write_buffer_size = transport.get_write_buffer_size  # type: ignore[method-assign]
        self.pause_reading = transport.pause_reading  # type: ignore[method-assign]
        self.resume_reading = transport.resume_reading  # type: ignore[method-assign]
        self._transport = transport
        self._is_unread = is_unread
        self._unread_s = unread_s
        self._timer: asyncio.TimerHandle | None = None
        self._left = LINGER_BYTES
        # How much was buffered when less of it was last seen, and for how long that has been all.
        self._buffered = 0
        self._quiet_s = 0.0
        self.lingers = False

    def is_closing(self) -> bool:
        """Tell whether nothing more will be answered."""
        return self._timer is not None or self._transport.is_closing()

    def close(self) -> None:
        """End the connection: at once where everything was read, else as the module says. Again: cut it short."""
        if self._timer is not None:
            self.abort()
        elif not self._transport.is_closing():
            # Also for who does not read its answer: a plain close would wait for that for ever.
            self._buffered = self._transport.get_write_buffer_size()
            self._look_later()
            if self._is_unread() and self._transport.can_write_eof():
                self._linger()
            else:
                self._transport.close()

    def _look_later(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(LINGER_S, self._look)

    def _look(self) -> None:
        buffered = self._transport.get_write_buffer_size()
        self._quiet_s = 0.0 if buffered < self._buffered else self._quiet_s + LINGER_S
        self._buffered = buffered
        if buffered and self._quiet_s < self._unread_s:
            self._look_later()
        else:
            self._transport.abort()

    def _linger(self) -> None:
        self.lingers = True
        try:
            self._transport.write_eof()
            self._transport.resume_reading()
        except OSError:
            # The other side is gone already.
            self._transport.abort()

    def discard(self, size: int) -> None:
        """Throw away what came after the last answer."""
        self._left -= size
        if self._left < 0:
            self.abort()

    def lost(self) -> None:
        """Forget the timer: the connection is gone."""
        if self._timer is not None:
            self._timer.cancel()

    def abort(self) -> None:
        """Hang up now, without sending what is still buffered."""
        self._transport.abort()
