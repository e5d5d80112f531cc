"""A mail server that speaks enough SMTP (RFC 5321) to be sent to, and refuses what a test tells it to."""

from __future__ import annotations

import asyncio
from email import message_from_bytes, policy
from email.message import EmailMessage


class SmtpServer:
    """Receives mails on a port of its own."""

    def __init__(self) -> None:
        self.received: list[EmailMessage] = []
        # What the next recipients are answered with instead of 250.
        self.answers: list[str] = []
        self.port = 0
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> SmtpServer:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        def say(text: str) -> None:
            writer.write(text.encode() + b"\r\n")

        say("220 test")
        while line := (await reader.readline()).decode().strip():
            word = line.upper().split()[0]
            if word in ("EHLO", "HELO"):
                say("250 test")
            elif word == "RCPT":
                say(self.answers.pop(0) if self.answers else "250 ok")
            elif word == "DATA":
                say("354 go on")
                data = await reader.readuntil(b"\r\n.\r\n")
                self.received.append(message_from_bytes(data[:-5], policy=policy.default))
                say("250 taken")
            elif word == "QUIT":
                say("221 bye")
                break
            else:
                say("250 ok")
        writer.close()
