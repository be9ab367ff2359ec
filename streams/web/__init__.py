"""How a process of Vigie answers over HTTP: bounded connections, the rules of every answer, the server itself.

What is answered is the business of the rooms that use it (`expose`, `ingest`, `collect`); nothing here knows it.
"""

from streams.web.places import Place, Places, sender_of
from streams.web.server import PEER, Edge, WebServer, encoder_for, exposed, listen
from streams.web.tls import TlsFiles

__all__ = ["PEER", "Edge", "Place", "Places", "TlsFiles", "WebServer", "encoder_for", "exposed", "listen", "sender_of"]
