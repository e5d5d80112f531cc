"""`python -m services.usage serve|migrate`."""

from pathlib import Path

from servicekit.configuration.loading import load
from servicekit.entry import run
from services.usage.server import serve
from services.usage.settings import UsageSettings

if __name__ == "__main__":
    run("usage", lambda: serve(load(UsageSettings)), Path(__file__).parent / "migrations")
