"""`python -m emulator`: read the settings, listen, print where, stop on a signal."""

import asyncio
import json
import signal
import sys

import uvloop

from emulator.app import Emulator
from emulator.listeners import EmulatorSettings


async def serve(settings: EmulatorSettings) -> None:
    """Run until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    emulator = Emulator(settings)
    addresses = await emulator.start()
    sys.stdout.write(json.dumps({"event": "emulator.listening", **addresses.shown()}) + "\n")
    sys.stdout.flush()
    try:
        await stop.wait()
    finally:
        await emulator.stop()


if __name__ == "__main__":
    uvloop.run(serve(EmulatorSettings()))
