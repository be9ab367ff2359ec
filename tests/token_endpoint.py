"""A token endpoint and its keys, for real brokers: client credentials in, tokens signed by RS256 out (RFC 6749, RFC 7517)."""

import base64
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

import orjson

CLIENT, SECRET, AUDIENCE = "vigie", "a secret: with a colon", "kafka"


def _url64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class TokenEndpoint:
    """Listens; `answers` is what the next requests get in place of a token: (status, body)."""

    def __init__(self, directory: Path, life_seconds: int = 300) -> None:
        self._key = directory / "token-key.pem"
        subprocess.run(["openssl", "genrsa", "-out", self._key, "2048"], check=True, capture_output=True)
        told = subprocess.run(
            ["openssl", "rsa", "-in", self._key, "-noout", "-modulus"], check=True, capture_output=True
        )
        modulus = bytes.fromhex(told.stdout.decode().strip().partition("=")[2])
        key = {"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "1", "e": "AQAB", "n": _url64(modulus)}
        self.keys = orjson.dumps({"keys": [key]})
        self.life_seconds = life_seconds
        self.given = 0
        self.answers: list[tuple[int, bytes]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def token(self) -> str:
        """A signed token."""
        now = time.time()
        claims = {
            "sub": CLIENT,
            "aud": AUDIENCE,
            "iss": self.url,
            "scope": "events",
            "iat": now,
            "exp": now + self.life_seconds,
        }
        told = ".".join(_url64(orjson.dumps(part)) for part in ({"alg": "RS256", "kid": "1", "typ": "JWT"}, claims))
        signed = subprocess.run(
            ["openssl", "dgst", "-sha256", "-sign", self._key], input=told.encode(), check=True, capture_output=True
        )
        self.given += 1
        return f"{told}.{_url64(signed.stdout)}"

    def answer(self, authorization: str, form: dict[str, list[str]]) -> tuple[int, bytes]:
        if self.answers:
            return self.answers.pop(0)
        wanted = "Basic " + base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        if authorization != wanted or form.get("grant_type") != ["client_credentials"]:
            return 401, b'{"error":"invalid_client"}'
        return 200, orjson.dumps(
            {"access_token": self.token(), "token_type": "Bearer", "expires_in": self.life_seconds, "scope": "events"}
        )


def _handler(endpoint: TokenEndpoint) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _say(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            self._say(200, endpoint.keys)

        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self._say(*endpoint.answer(self.headers.get("Authorization", ""), form))

        def log_message(self, *_args: object) -> None:
            pass

    return Handler


@contextmanager
def token_endpoint(directory: Path, life_seconds: int = 300) -> Iterator[TokenEndpoint]:
    """One that runs within the block."""
    endpoint = TokenEndpoint(directory, life_seconds)
    try:
        yield endpoint
    finally:
        endpoint.stop()
