"""find_collisions: which accounts share an address, within the source and with those that 1.1 has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from migrate.fates.accounts import People
from migrate.fates.merging import Collision
from services.auth.importing.imports import Imports


async def find_collisions(people: People, imports: Imports) -> list[Collision]:
    """Return all groups: as people compare addresses, and as the database does, which is asked."""
    alike = await imports.alike(people.addresses)
    within = [(each.user_ids[0], other) for each in people.collisions for other in each.user_ids[1:]]
    # An account that 1.1 has under the same id and address is no two of them: it is the id that is taken.
    alike = [(one, other, is_here) for one, other, is_here in alike if one != other]
    of_1_1 = {other for _, other, is_here in alike if is_here}
    groups = _groups([*within, *((one, other) for one, other, _ in alike)])
    return sorted((_collision(group, of_1_1, people.addresses) for group in groups), key=lambda found: found.address)


def _groups(pairs: Iterable[tuple[str, str]]) -> list[set[str]]:
    """Return the sets of all that pairs join."""
    group_of: dict[str, set[str]] = {}
    for one, other in pairs:
        joined = group_of.get(one, {one}) | group_of.get(other, {other})
        group_of.update(dict.fromkeys(joined, joined))
    return list({id(group): group for group in group_of.values()}.values())


def _collision(group: set[str], of_1_1: set[str], addresses: Mapping[str, str]) -> Collision:
    known = sorted(group & of_1_1)
    # In the order of the rows: the first keeps the address unless 1.1 has it.
    own = [id_ for id_ in addresses if id_ in group and id_ not in of_1_1]
    address = next(each for id_, each in addresses.items() if id_ in group)
    return Collision(address, (*known, *own), len(known))
