"""Three Redis servers and three sentinels, each asking for a password and a client's certificate, as people run them."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import redis
from redis.exceptions import RedisError

from streams.local import Process, Program, free_ports
from streams.local.process import find_program
from streams.settings import deploy_dir
from tests.servers.own_servers import Killable
from tests.waiting import wait_for

SERVICE = "vigie-redis"
#: Of a test alone.
ADMIN, PASSWORD, SENTINEL_PASSWORD = "of-admin", "of-vigie", "of-sentinels"
DOWN_AFTER_MS = 1500


def certificates(directory: Path) -> Path:
    """An authority, and one certificate of this machine for servers and clients; `ca.pem`, `cert.pem`, `cert.key`."""
    directory.mkdir(parents=True, exist_ok=True)
    new_key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    (directory / "ext").write_text("subjectAltName=IP:127.0.0.1\n")
    for command in (
        ("req", "-x509", *new_key, "-days", "30", "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=ca"),
        ("req", *new_key, "-keyout", "cert.key", "-out", "cert.csr", "-subj", "/CN=vigie"),
        (
            *("x509", "-req", "-in", "cert.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"),
            *("-extfile", "ext", "-out", "cert.pem", "-days", "30"),
        ),
    ):
        subprocess.run(["openssl", *command], cwd=directory, check=True, capture_output=True)
    return directory


def _tls(pki: Path, port: int) -> list[str]:
    return [
        f"tls-port {port}",
        f"tls-cert-file {pki / 'cert.pem'}",
        f"tls-key-file {pki / 'cert.key'}",
        f"tls-ca-cert-file {pki / 'ca.pem'}",
        "tls-replication yes",
        "tls-auth-clients yes",
        "bind 127.0.0.1",
    ]


class Node(Killable):
    """One Redis: clients come over TLS, the test itself by the port `admin_port` without."""

    def __init__(self, directory: Path, pki: Path, primary: int | None) -> None:
        self.port, self.admin_port = free_ports(2)
        directory.mkdir(parents=True)
        config = directory / "redis.conf"
        shipped = (deploy_dir() / "redis" / "redis.conf").read_text()
        lines = [
            *_tls(pki, self.port),
            f"port {self.admin_port}",
            f"dir {directory}",
            "user default off",
            f"user admin on >{ADMIN} ~* &* +@all",
            f"user vigie on >{PASSWORD} ~* &* +@all -@admin -@dangerous +info",
            f"user sentinel on >{SENTINEL_PASSWORD} ~* &* +@all",
            f"user replica on >{PASSWORD} ~* &* +@all",
            "masteruser replica",
            f"masterauth {PASSWORD}",
        ]
        if primary is not None:
            lines.append(f"replicaof 127.0.0.1 {primary}")
        config.write_text("\n".join([shipped, *lines, ""]))
        self._program = Program(
            role="redis",
            argv=(find_program("redis-server"), str(config)),
            directory=directory,
            log_file=directory / "log",
            port=self.port,
            ready=self.answers,
        )
        self.start()

    @contextmanager
    def admin(self) -> Iterator[Any]:
        """Somebody who may do everything."""
        with redis.Redis(
            port=self.admin_port, username="admin", password=ADMIN, decode_responses=True, socket_timeout=5
        ) as client:
            yield client

    def answers(self) -> bool:
        """Whether it does."""
        with suppress(RedisError), self.admin() as client:
            return bool(client.ping())
        return False

    def info(self) -> dict[str, Any]:
        """What it says of itself; nothing where it is down."""
        with suppress(RedisError), self.admin() as client:
            found: dict[str, Any] = client.info()
            return found
        return {}

    def is_primary(self) -> bool:
        """Whether it takes itself for one."""
        return self.info().get("role") == "master"

    def offsets(self, prefix: str) -> dict[int, int]:
        """Partition -> next offset to count, as this server has it."""
        with suppress(RedisError), self.admin() as client:
            return {int(n): int(text.split()[1]) for n, text in client.hgetall(f"{{{prefix}}}:offsets").items()}
        return {}

    def shut_out(self, *users: str) -> None:
        """These may not log in any more, and what they have open is closed: a partition, as they see it."""
        with self.admin() as client:
            for user in users:
                client.execute_command("ACL", "SETUSER", user, "off")
                client.execute_command("CLIENT", "KILL", "USER", user)

    def let_in(self, *users: str) -> None:
        """The partition is over."""
        with self.admin() as client:
            for user in users:
                client.execute_command("ACL", "SETUSER", user, "on")


class Guarded:
    """The servers, `nodes[0]` the primary at first, and their sentinels."""

    def __init__(self, directory: Path) -> None:
        self.pki = certificates(directory / "pki")
        first = Node(directory / "node-0", self.pki, None)
        self.nodes = [first, *(Node(directory / f"node-{n}", self.pki, first.port) for n in (1, 2))]
        self._sentinels: list[Process] = []
        self.sentinel_ports = free_ports(3)
        wait_for("replicas in step", lambda: first.info().get("connected_slaves") == 2)
        for port in self.sentinel_ports:
            self._sentinels.append(self._sentinel(directory / f"sentinel-{port}", port, first.port))
        wait_for("sentinels know each other and the replicas", self._complete)

    def _sentinel(self, directory: Path, port: int, primary: int) -> Process:
        directory.mkdir()
        config = directory / "sentinel.conf"
        lines = [
            *_tls(self.pki, port),
            "port 0",
            f"dir {directory}",
            f"requirepass {SENTINEL_PASSWORD}",
            f"sentinel sentinel-pass {SENTINEL_PASSWORD}",
            f"sentinel monitor {SERVICE} 127.0.0.1 {primary} 2",
            f"sentinel auth-user {SERVICE} sentinel",
            f"sentinel auth-pass {SERVICE} {SENTINEL_PASSWORD}",
            f"sentinel down-after-milliseconds {SERVICE} {DOWN_AFTER_MS}",
            f"sentinel failover-timeout {SERVICE} 6000",
        ]
        config.write_text("\n".join([*lines, ""]))
        program = Program(
            role="sentinel",
            argv=(find_program("redis-server"), str(config), "--sentinel"),
            directory=directory,
            log_file=directory / "log",
            port=port,
            ready=partial(self._answers, port),
        )
        process = Process(program)
        process.wait_ready()
        return process

    def _client(self, port: int) -> Any:
        options = {"ssl_ca_certs": "ca.pem", "ssl_certfile": "cert.pem", "ssl_keyfile": "cert.key"}
        paths: dict[str, Any] = {name: str(self.pki / file) for name, file in options.items()}
        return redis.Redis(
            port=port, host="127.0.0.1", password=SENTINEL_PASSWORD, ssl=True, decode_responses=True, **paths
        )

    def _answers(self, port: int) -> bool:
        with suppress(RedisError), self._client(port) as client:
            return bool(client.ping())
        return False

    def _complete(self) -> bool:
        for port in self.sentinel_ports:
            with self._client(port) as client:
                said = client.sentinel_masters()[SERVICE]
            if said["num-other-sentinels"] != 2 or said["num-slaves"] != 2:
                return False
        return True

    def healthy(self) -> bool:
        """Whether there is one primary that has both others in step."""
        infos = [node.info() for node in self.nodes]
        primaries = [info for info in infos if info.get("role") == "master"]
        in_step = [info for info in infos if info.get("master_link_status") == "up"]
        return len(primaries) == 1 and len(in_step) == 2 and primaries[0]["connected_slaves"] == 2

    def settings(self) -> dict[str, str]:
        """The settings of a Vigie that asks these sentinels."""
        hosts = ",".join(f"127.0.0.1:{port}" for port in self.sentinel_ports)
        return {
            "redis_url": f"rediss+sentinel://{hosts}/{SERVICE}/0",
            "redis_username": "vigie",
            "redis_password": PASSWORD,
            "redis_sentinel_password": SENTINEL_PASSWORD,
            "redis_tls_ca_file": str(self.pki / "ca.pem"),
            "redis_tls_cert_file": str(self.pki / "cert.pem"),
            "redis_tls_key_file": str(self.pki / "cert.key"),
        }

    def primary(self) -> Node:
        """The node that is the primary now."""
        (found,) = [node for node in self.nodes if node.is_primary()]
        return found

    def promoted(self, before: Node, seconds: float = 60.0) -> Node:
        """Wait until another node is promoted; return it."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for node in self.nodes:
                if node is not before and node.is_primary():
                    return node
            time.sleep(0.1)
        raise AssertionError(f"no replica was promoted within {seconds:.0f} s")

    def close(self) -> None:
        """Kill all of them."""
        for process in self._sentinels:
            process.kill()
        for node in self.nodes:
            node.kill()


@contextmanager
def guarded(directory: Path) -> Iterator[Guarded]:
    """Run them until the block ends."""
    found = Guarded(directory)
    try:
        yield found
    finally:
        found.close()
