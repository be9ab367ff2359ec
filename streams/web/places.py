"""A bounded number of places that clients share, so that one client cannot keep all others out."""

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from starlette.requests import HTTPConnection


@dataclass(eq=False, slots=True)
class Place:
    """One place of a client. `leave` asks it to go; False where it cannot just now."""

    client: str
    leave: Callable[[], bool]


class Places:
    """`most` places. Once they are taken, a newcomer gets one only from a client that holds at least two more than its own."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._taken = 0
        self._held: dict[str, dict[Place, None]] = {}  # in the order in which they were taken

    def __len__(self) -> int:
        return self._taken

    def take(self, client: str, leave: Callable[[], bool]) -> Place | None:
        """Return a place for this client, None where there is none for it."""
        if self._taken >= self.most and not self._make_room(client):
            return None
        place = Place(client, leave)
        self._held.setdefault(client, {})[place] = None
        self._taken += 1
        return place

    def give_back(self, place: Place) -> None:
        """The place is free; a second time changes nothing."""
        held = self._held.get(place.client, {})
        if place in held:
            del held[place]
            self._taken -= 1
        if not held:
            self._held.pop(place.client, None)

    def _make_room(self, client: str) -> bool:
        greediest = max(self._held.values(), key=len, default={})
        if len(greediest) < len(self._held.get(client, ())) + 2:
            return False
        for place in list(greediest):
            if place.leave():
                self.give_back(place)
                return True
        return False


def sender_of(request: HTTPConnection) -> str:
    """Whom a request comes from."""
    return client_of(request.client.host if request.client else "")


def client_of(host: str) -> str:
    """Whom an address belongs to: of IPv6 the first 64 bits, since one machine has as many addresses within them as it wants."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return host
    return host if address.version == 4 else str(ip_network((address, 64), strict=False))
