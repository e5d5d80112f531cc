"""`python -m services.auth serve|migrate`."""

from pathlib import Path

from servicekit import entry
from servicekit.configuration.loading import load
from services.auth.server import serve
from services.auth.settings import AuthSettings

if __name__ == "__main__":
    entry.run("auth", lambda: serve(load(AuthSettings)), Path(__file__).parent / "migrations")
