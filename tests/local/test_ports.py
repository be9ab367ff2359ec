"""Taken ports are named with their holder, all at once."""

import os
import socket
from contextlib import ExitStack

import pytest

from streams.errors import ServerError
from streams.local import ports
from streams.local.ports import PortUse, check_ports, free_ports, holder, is_free


def listen(port: int, address: str = "127.0.0.1") -> socket.socket:
    server = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    server.bind((address, port))
    server.listen()
    return server


def test_free_ports_are_free_and_consecutive():
    first, second, third = free_ports(3)
    assert (second, third) == (first + 1, first + 2)
    assert all(is_free(port) for port in (first, second, third))


def test_every_taken_port_is_named_with_its_holder_and_its_option():
    kafka, redis, observer = free_ports(3)
    with ExitStack() as stack:
        stack.enter_context(listen(kafka))
        stack.enter_context(listen(observer, "0.0.0.0"))
        uses = [
            PortUse("Kafka", kafka, "--kafka-port"),
            PortUse("Redis", redis, "--redis-port"),
            PortUse("observer", observer, "--port"),
        ]
        with pytest.raises(ServerError) as caught:
            check_ports(uses)
    text = str(caught.value)
    assert f"{kafka} (Kafka) is held by pid {os.getpid()} (" in text
    assert f"{observer} (observer) is held by pid {os.getpid()} (" in text
    assert "--kafka-port" in text
    assert "--port" in text
    assert f"{redis} (Redis)" not in text, "and no other number, a pid's, can be taken for it"
    assert "python" in text  # the command of the holder


def test_no_port_is_given_twice_although_nobody_listens_yet(monkeypatch):
    monkeypatch.setattr("streams.local.ports._given", set())
    monkeypatch.setattr("streams.local.ports._FREE_END", ports._FREE_FIRST + 40)
    given = [port for _ in range(5) for port in free_ports(3)]
    assert len(set(given)) == 15


def test_a_port_given_twice_is_an_error():
    (port,) = free_ports(1)
    with pytest.raises(ServerError, match=f"{port} is given to both Kafka and Redis"):
        check_ports([PortUse("Kafka", port, "--kafka-port"), PortUse("Redis", port, "--redis-port")])


def test_nobody_holds_a_free_port():
    (port,) = free_ports(1)
    assert holder(port) is None
    check_ports([PortUse("Kafka", port, "--kafka-port")])


def test_an_outgoing_connection_is_no_holder():
    (port,) = free_ports(1)
    with listen(port) as server, socket.create_connection(("127.0.0.1", port)) as client:
        local_port = client.getsockname()[1]
        assert holder(local_port) is None
        server.accept()[0].close()
