"""The order of the line: fair to users by their shares, whatever comes and goes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from math import ceil

from hypothesis import given
from hypothesis import strategies as st

from services.router.slots.fair_queue import FairQueue, Ticket

SHARES = {"a": 1.0, "b": 3.0, "c": 10.0, "d": 1.0}
users = st.sampled_from(sorted(SHARES))
# None: the next one is served; a number: that one of those who wait leaves.
steps = st.lists(st.one_of(users, st.none(), st.integers(0, 40)), max_size=120)


def filled(*arrivals: str, places: int = 1000, share: Callable[[str], float] = lambda _: 1.0) -> FairQueue:
    queue = FairQueue(places)
    for number, user in enumerate(arrivals):
        queue.join(Ticket(f"{user}{number}", user, share(user)))
    return queue


def served(queue: FairQueue) -> list[str]:
    order = []
    while (ticket := queue.take()) is not None:
        order.append(ticket.user)
    return order


@given(steps)
def test_serves_everybody_once_and_in_each_user_s_own_order(taken: list[str | int | None]) -> None:
    """Nothing is lost, nothing is served twice, and nobody's second call overtakes their first."""
    queue, waiting, done = FairQueue(1000), [], []
    for number, step in enumerate([*taken, *[None] * 120]):
        if isinstance(step, str):
            waiting.append(ticket := Ticket(f"{number:04}", step, SHARES[step]))
            assert queue.join(ticket) is None
        elif step is None:
            next_one = queue.take()
            assert (next_one is None) == (not waiting)
            if next_one is not None:
                waiting.remove(next_one)
                done.append(next_one)
        elif waiting:
            queue.leave(waiting.pop(step % len(waiting)).id)
        assert len(queue) == len(waiting)
    for user in SHARES:
        own = [ticket.id for ticket in done if ticket.user == user]
        assert own == sorted(own)


@given(st.permutations([user for user in SHARES for _ in range(30)]))
def test_users_who_always_wait_are_served_by_their_shares(arrivals: list[str]) -> None:
    """At any moment two users differ by one call of each at most, in proportion to their shares."""
    queue, counts = filled(*arrivals, share=SHARES.__getitem__), Counter[str]()
    left = Counter(arrivals)
    for user in served(queue):
        counts[user] += 1
        left[user] -= 1
        if min(left.values()) == 0:
            break
        rounds = {each: counts[each] / share for each, share in SHARES.items()}
        for one in SHARES:
            for other in SHARES:
                assert rounds[one] - rounds[other] <= 1 / SHARES[one] + 1 / SHARES[other] + 1e-9


@given(steps, users)
def test_a_newcomer_waits_for_one_round_of_the_others_at_most(taken: list[str | int | None], late: str) -> None:
    """However many calls others have waiting, as many of them go first as their shares allow in one of its calls."""
    queue, waiting = FairQueue(1000), set[str]()
    for number, step in enumerate(taken):
        if isinstance(step, str) and step != late:
            queue.join(Ticket(f"{number}", step, SHARES[step]))
            waiting.add(step)
        elif step is None:
            queue.take()
    newcomer = Ticket("new", late, SHARES[late])
    queue.join(newcomer)

    ahead = Counter[str]()
    while (ticket := queue.take()) is not None and ticket is not newcomer:
        ahead[ticket.user] += 1

    for user, count in ahead.items():
        assert count <= ceil(SHARES[user] / SHARES[late]) + 1


def test_one_call_of_each_user_comes_before_anybody_s_second() -> None:
    """A hundred calls of one user do not stand before the one of another."""
    assert served(filled("a", "a", "a", "b", "c", "b"))[:3] == ["a", "b", "c"]


def test_whoever_was_away_has_saved_nothing() -> None:
    """A user who comes late is not served for the time before."""
    queue = filled(*"aaaaaa")
    for _ in range(3):
        queue.take()
    for number in range(3):
        queue.join(Ticket(f"late{number}", "b"))

    assert "".join(served(queue)) in {"ababab", "bababa"}


def test_calls_that_leave_cost_their_user_nothing() -> None:
    """Those whose caller hung up are not held against the ones that follow."""
    queue = filled("a", "b", "b", "b", "a")
    for number in (1, 2, 3):
        queue.leave(f"b{number}")
    queue.join(Ticket("again", "b"))

    assert served(queue) == ["a", "b", "a"]


def test_no_call_overtakes_one_of_its_own_user_when_others_of_it_have_left() -> None:
    """What those in front leave free is not given to the newest."""
    queue = filled("a", "b", "b", "b")
    queue.leave("b1")
    queue.leave("b2")
    queue.join(Ticket("b4", "b"))

    assert [ticket.id for ticket in iter(queue.take, None) if ticket is not None] == ["a0", "b3", "b4"]


def test_a_full_line_pushes_out_whoever_has_most_waiting() -> None:
    """A newcomer has a place although one user has filled the line."""
    queue = filled(*"aaaa", places=4)

    loser = queue.join(Ticket("b", "b"))

    assert loser is not None
    assert loser.id == "a3"
    assert served(queue) == ["a", "b", "a", "a"]


def test_a_full_line_refuses_the_one_who_has_filled_it() -> None:
    """The one that would be served last is the newcomer itself."""
    queue = filled(*"aaab", places=4)
    newcomer = Ticket("more", "a")

    assert queue.join(newcomer) is newcomer
    assert queue.ahead_of("b3") == 1
    assert served(queue) == ["a", "b", "a", "a"]
