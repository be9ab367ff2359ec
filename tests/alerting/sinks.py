"""Real receivers for Alertmanager: an SMTP server and a web server that keep what they are sent."""

import email
import email.message
import email.policy
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson
from aiosmtpd.controller import Controller

from streams.local import free_ports


@dataclass(slots=True)
class Sinks:
    """Both; `mails` and `posts` in the order in which they came."""

    mails: list[email.message.EmailMessage] = field(default_factory=list)
    posts: list[dict[str, Any]] = field(default_factory=list)
    smtp: str = ""
    webhook_url: str = ""
    _stop: list[Any] = field(default_factory=list)

    async def handle_DATA(self, _server: object, _session: object, envelope: Any) -> str:
        """Keep a mail."""
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(message, email.message.EmailMessage)
        self.mails.append(message)
        return "250 OK"

    def __enter__(self) -> "Sinks":
        smtp_port, web_port = free_ports(2)
        controller = Controller(self, hostname="127.0.0.1", port=smtp_port)
        controller.start()
        posts = self.posts

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                posts.append(orjson.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_words: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", web_port), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.smtp, self.webhook_url = f"127.0.0.1:{smtp_port}", f"http://127.0.0.1:{web_port}/vigie"
        self._stop = [controller.stop, server.shutdown, server.server_close]
        return self

    def __exit__(self, *_error: object) -> None:
        for stop in self._stop:
            stop()


def html_of(message: email.message.EmailMessage) -> str:
    """The page that a mail shows."""
    part = message.get_body(("html",))
    assert part is not None
    return str(part.get_content())
