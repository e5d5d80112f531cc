"""The commands and their options.

Nothing here imports what takes long: a command does so when it runs, so that `razvilka --help` answers at once.
"""

from __future__ import annotations

import click

from razvilka_cli.commands import access, asking, managing, profiles, spending
from razvilka_cli.invocation import Invocation
from razvilka_cli.program import Program, json_option


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--url", default="", help="The gateway. Else: the profile's, RAZVILKA_URL, http://127.0.0.1:8080.")
@click.option("--key", default="", help="An API key, better as RAZVILKA_API_KEY. Else: what `login` kept.")
@click.option("--profile", envvar="RAZVILKA_CLI_PROFILE", default="", help="A gateway of the file of profiles.")
@click.version_option("1.1.0", "-V", "--version", prog_name="razvilka")
@click.pass_context
def main(context: click.Context, url: str, key: str, profile: str) -> None:
    """A Razvilka gateway from a terminal.

    Exit statuses: 0 done, 1 differs or declined, 2 usage, 3 credential, 4 refused, 5 limit, 6 server, 7 unreachable,
    130 interrupted.
    """
    invocation = context.ensure_object(Invocation)
    invocation.url, invocation.key, invocation.profile = url, key, profile


main.params.append(json_option())
for each in (*access.COMMANDS, *asking.COMMANDS, *spending.COMMANDS, *managing.COMMANDS, profiles.profiles):
    main.add_command(each)
