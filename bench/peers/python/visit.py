"""The event, as msgspec decodes it."""

import msgspec


class Visit(msgspec.Struct, gc=False):
    """What the job needs of an event; msgspec skips the rest."""

    ts: int
    uai: str
    service: str


decode = msgspec.json.Decoder(Visit).decode
