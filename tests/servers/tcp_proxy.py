"""A proxy in front of a server of a test: slow, or one whose server is changed, as a name or a virtual address that moves."""

import socket
import threading
import time
from contextlib import suppress


class TcpProxy:
    """Hands every request to a server on this machine, after a delay. `target` may be moved: open connections stay where they are."""

    def __init__(self, port: int, delay_seconds: float = 0.0) -> None:
        self.target = port
        self._delay_seconds = delay_seconds
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []

    def __enter__(self) -> "TcpProxy":
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        for one in self._open:
            one.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _address = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                client.close()
                continue
            self._open += [client, server]
            threading.Thread(target=self._carry, args=(client, server, self._delay_seconds), daemon=True).start()
            threading.Thread(target=self._carry, args=(server, client, 0.0), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket, delay_seconds: float) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                time.sleep(delay_seconds)
                target.sendall(data)
        for one in (source, target):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
