"""Composition root of API keys."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from services.auth.keys.changing import KeyChanges
from services.auth.keys.last_use import LastUse
from services.auth.keys.management import ApiKeys
from services.auth.keys.naming import ModelNaming
from services.auth.keys.pepper_census import PepperCensus
from services.auth.keys.rpc import KeyServicer
from services.auth.keys.settings import KeySettings
from services.auth.keys.store.api_keys import KeyStore
from services.auth.keys.verification import KeyVerifier
from services.auth.shared.dependencies import Dependencies
from services.auth.shared.domain.tier import Tier, TierLimits
from services.auth.shared.in_person import InPerson
from services.auth.shared.store.caps import CapStore
from services.auth.shared.store.model_names import ModelNameStore


@dataclass(frozen=True, slots=True)
class Keys:
    """The servicer, the verifier of keys, and the job that counts peppers."""

    servicer: KeyServicer
    verifier: KeyVerifier
    census: PepperCensus


def assemble_keys(
    settings: KeySettings,
    limits: Mapping[Tier, TierLimits],
    given: Dependencies,
    last_use: LastUse,
    in_person: InPerson,
) -> Keys:
    """Return the keys."""
    store, hasher = KeyStore(given.pool), settings.hasher()
    management = ApiKeys(
        store, hasher, given.units, in_person, bounds=given.bounds, clock=given.clock, new_id=uuid.uuid4
    )
    names, caps = ModelNameStore(given.pool), CapStore(given.pool)
    verifier = KeyVerifier(
        store,
        names,
        caps,
        hasher,
        given.units,
        limits,
        last_use,
        clock=given.clock,
        background=given.background,
    )
    changes = KeyChanges(store, given.units, in_person, clock=given.clock)
    servicer = KeyServicer(management, changes, verifier, ModelNaming(names, given.units))
    return Keys(servicer, verifier, PepperCensus(store, hasher))
