"""`razvilka profiles`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import click

from razvilka_cli.errors import Failure, Status
from razvilka_cli.gateway import clean_url
from razvilka_cli.invocation import Invocation
from razvilka_cli.output import show_json, show_table
from razvilka_cli.profiles import Profile, read_profiles, texts_of, write_profiles


def show_profiles(invocation: Invocation) -> None:
    """Print them, the default marked."""
    known = read_profiles()
    if invocation.as_json:
        by_name = {name: texts_of(profile) for name, profile in known.by_name.items()}
        show_json({"default": known.default, "profiles": by_name})
        return
    rows = ((name, *texts_of(each).values(), name == known.default) for name, each in known.by_name.items())
    show_table(("name", "url", "model", "client_id", "default"), rows)


def set_profile(invocation: Invocation, name: str, wishes: Mapping[str, Any], *, is_default: bool) -> None:
    """Make or change one.

    Raises:
        Failure: a new one has no address, or something is none.
    """
    known = read_profiles()
    changed = replace(known.by_name.get(name, Profile("")), **wishes)
    if not changed.url:
        raise Failure(f"The profile {name!r} has no address.", Status.USAGE, code="no_url", fix="Say --url.")
    found = known.with_profile(name, replace(changed, url=clean_url(changed.url)))
    write_profiles(replace(found, default=name) if is_default else found)
    _tell(invocation, name, "kept")


def delete_profile(invocation: Invocation, name: str) -> None:
    """Forget one."""
    write_profiles(read_profiles().without(name))
    _tell(invocation, name, "deleted")


def _tell(invocation: Invocation, name: str, what: str) -> None:
    if invocation.as_json:
        show_json({"profile": name, "done": what})
    else:
        click.echo(f"{name} {what}")
