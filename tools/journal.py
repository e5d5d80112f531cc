"""`python -m tools.journal inspect PATH`: the gateway's commands for journals, for the suite of `make up`.

`ship-journals` and `replay` find the suite by GATEWAY_* variables, as the gateway does.
"""

from __future__ import annotations

import sys

from servicekit.configuration.loading import load
from services.gateway.journal_commands import main
from services.gateway.settings import GatewaySettings

if __name__ == "__main__":
    main(sys.argv[1:], lambda: load(GatewaySettings))
