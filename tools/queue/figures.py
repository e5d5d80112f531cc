"""Whether a line was fair, by what each call saw."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean


@dataclass(frozen=True, slots=True)
class Asked:
    """One call that has ended; times in seconds on one clock.

    Attributes:
        queued_s: as the router says in its answer.
        held_s: that its provider took for it.
        refused: why it got no answer; "": it got one.
    """

    user: str
    asked_at: float
    ended_at: float
    queued_s: float = 0.0
    held_s: float = 0.0
    refused: str = ""

    @property
    def began_at(self) -> float:
        """Return when its slot was its own."""
        return self.asked_at + self.queued_s


@dataclass(frozen=True, slots=True)
class Fairness:
    """How the calls of one run fared.

    Attributes:
        refused: calls that got no answer.
        most_by_turns: the largest ratio of a call's turns to its fair ones, over all calls. A user's k-th call may see
            k calls of each user go first, those of its own included.
        most_by_time: the largest ratio of a user's longest wait to the time that its calls take by its share of the
            slots alone.
        waits_s: the mean wait of each user, shortest first.
        longest_s: the longest wait of all.
        seconds: from the first call to the end of the last.
    """

    calls: int
    refused: int
    most_by_turns: float
    most_by_time: float
    waits_s: Sequence[float]
    longest_s: float
    seconds: float


def fairness(calls: Sequence[Asked], slots: int, period_s: float = 0.0) -> Fairness:
    """Return the figures of calls that were made together on so many slots.

    Args:
        calls: of one run.
        slots: of the quota.
        period_s: for which a call has its slot, if that is not until its end.
    """
    answered = [call for call in calls if not call.refused]
    users = Counter(call.user for call in calls)
    waits = [[call.queued_s for call in answered if call.user == user] for user in users]
    return Fairness(
        len(calls),
        len(calls) - len(answered),
        max(_turns(call, answered, len(users)) for call in answered),
        _by_time(answered, users, slots, period_s),
        sorted(mean(each) for each in waits if each),
        max(call.queued_s for call in answered),
        max(call.ended_at for call in calls) - min(call.asked_at for call in calls),
    )


def _turns(call: Asked, answered: Sequence[Asked], users: int) -> float:
    """Return how many calls began while one waited, in fair ones."""
    before = sum(call.asked_at < other.began_at < call.began_at for other in answered)
    own = sum(call.asked_at < other.began_at <= call.began_at for other in answered if other.user == call.user)
    return before / (users * max(1, own))


def _by_time(answered: Sequence[Asked], users: Counter[str], slots: int, period_s: float) -> float:
    held_s = period_s or mean(call.held_s for call in answered)
    ratios = []
    for user, count in users.items():
        longest_s = max((call.queued_s for call in answered if call.user == user), default=0.0)
        ratios.append(longest_s / (count * held_s * max(1.0, len(users) / slots)))
    return max(ratios)
