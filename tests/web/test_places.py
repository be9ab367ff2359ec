"""Who gets a place once all are taken."""

import pytest

from streams.web import Place, Places
from streams.web.places import client_of


class Guests:
    """Places, and who was told to leave."""

    def __init__(self, most: int) -> None:
        self.places = Places(most)
        self.left: list[str] = []

    def come(self, client: str, name: str | None = None, *, stays: bool = False) -> Place | None:
        def leave() -> bool:
            if not stays:
                self.left.append(name or client)
            return not stays

        return self.places.take(client, leave)


def test_places_are_taken_and_given_back_once() -> None:
    guests = Guests(2)
    first, second = guests.come("a"), guests.come("b")
    assert first is not None
    assert second is not None
    assert guests.come("c") is None
    guests.places.give_back(first)
    guests.places.give_back(first)
    assert len(guests.places) == 1
    assert guests.come("c") is not None
    assert guests.left == []


def test_the_greediest_makes_room_oldest_first_until_all_hold_as_many() -> None:
    guests = Guests(4)
    for name in ("a1", "a2", "a3", "a4"):
        assert guests.come("a", name)
    assert guests.come("a", "a5") is None, "not for itself"
    assert guests.come("b")
    assert guests.come("b")
    assert guests.left == ["a1", "a2"]
    assert guests.come("b") is None, "two and two: nobody is the greedier one"
    assert guests.come("c")
    assert guests.come("d")
    assert sorted(guests.left) == ["a1", "a2", "a3", "b"]
    assert guests.come("e") is None, "one each"
    assert len(guests.places) == 4


def test_who_cannot_leave_stays() -> None:
    guests = Guests(3)
    for name, stays in (("a1", True), ("a2", False), ("a3", True)):
        assert guests.come("a", name, stays=stays)
    assert guests.come("b")
    assert guests.left == ["a2"]
    assert guests.come("c") is None


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("10.0.0.1", "10.0.0.2", False),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("fe80::1%eth0", "fe80::2%eth0", True),
        ("", "unix", False),
    ],
)
def test_whom_an_address_belongs_to(one: str, other: str, same: bool) -> None:
    assert (client_of(one) == client_of(other)) is same
