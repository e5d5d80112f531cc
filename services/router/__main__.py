"""`python -m services.router serve|migrate`."""

from pathlib import Path

from servicekit import entry
from servicekit.configuration.loading import load
from services.router.server import serve
from services.router.settings import RouterSettings

if __name__ == "__main__":
    entry.run("router", lambda: serve(load(RouterSettings)), Path(__file__).parent / "migrations")
