"""Who calls and what they may do: everything that admitting a request needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network
from typing import Final

from services.gateway.admission.caps import Budget, CapMode, Quota
from services.gateway.admission.dimensions import NOT_LIMITED, CallerLimits

KEY_SUBJECT: Final = "key:"
# Of a credential itself, not of its account or an organization.
OWN_SUBJECTS: Final = (KEY_SUBJECT, "grant:")


@dataclass(frozen=True, slots=True)
class Caller:
    """A verified credential and what it may do.

    Attributes:
        models: those that it may use; empty: all.
        networks: addresses that it may be used from; empty: any.
        quotas: caps on requests or tokens of some models.
        grant_id: the grant under which spending is booked, perhaps an earlier one of the same consent.
        time_zone: IANA name of the account's zone, by which budget periods go.
        key_thumbprint: of an access token, the key that it is bound to; "": none.
        authenticated_at_s: of an access token, when its user last proved who they are, in Unix seconds; None: no
            person stands behind it.
        model_names: name -> the model that is meant; "*": by any name, "default": where a request names none.
        cache_ttl_s: seconds for which answers are cached where a request does not say; 0: the gateway's default,
            None: not at all.
        from_1_0: the key, or the first of its line of rotations, is one of release 1.0.
        is_fresh: of a person in a session, whether they have proved lately who they are.
        token_grant_id: of an access token, the grant that it was issued under.
        lineage_id: the first key of a key's line of rotations, by which its limits count; "": no key.
        counted_key_id: the key under which spending is booked: the first of a line of rotations. That one has the
            budget, which is rebuilt from usage rows, so they must name it.
        spender: whose spending is shown: "key:<id>" of a line of rotations, or "grant:<id>"; "": a person's.
    """

    user_id: str
    key_id: str
    key_name: str
    tier: str
    scopes: frozenset[str]
    models: frozenset[str] = frozenset()
    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    limits: CallerLimits = NOT_LIMITED
    budgets: tuple[Budget, ...] = field(default=())
    quotas: tuple[Quota, ...] = ()
    expires_at: datetime | None = None
    grant_id: str = ""
    client_id: str = ""
    time_zone: str = "UTC"
    key_thumbprint: str = ""
    authenticated_at_s: float | None = None
    model_names: Mapping[str, str] = field(default_factory=dict)
    cache_ttl_s: int | None = None
    from_1_0: bool = False
    is_fresh: bool = False
    token_grant_id: str = ""
    lineage_id: str = ""
    counted_key_id: str = field(init=False, repr=False, compare=False)
    spender: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # A caller lives as long as a verified credential; every request of it reads these.
        subjects = (budget.subject for budget in self.budgets if budget.subject.startswith(KEY_SUBJECT))
        counted = next((subject.removeprefix(KEY_SUBJECT) for subject in subjects), self.key_id)
        spender = f"key:{counted}" if self.key_id else f"grant:{self.grant_id}" if self.grant_id else ""
        object.__setattr__(self, "counted_key_id", counted)
        object.__setattr__(self, "spender", spender)

    @property
    def own_budget(self) -> Budget | None:
        """Return the first budget that refuses and is of the key or grant itself, not of the account."""
        own = (budget for budget in self.budgets if budget.subject.startswith(OWN_SUBJECTS))
        return next((budget for budget in own if budget.mode is CapMode.HARD), None)

    @property
    def subject(self) -> str:
        """Return what ends with it: `key:<id>` or `grant:<id>` of the credential that was shown; "" of a person."""
        if self.key_id:
            return f"key:{self.key_id}"
        grant_id = self.token_grant_id or self.grant_id
        return f"grant:{grant_id}" if grant_id else ""

    @property
    def is_person(self) -> bool:
        """Tell whether somebody asks who is logged in, with no key or application between."""
        return not (self.key_id or self.grant_id)
