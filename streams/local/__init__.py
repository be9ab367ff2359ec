"""The local stack: real Kafka, Redis, Prometheus and Alertmanager as child processes, then workers and observer.

For development, demonstrations and tests on one machine. No other room may import this one; `vigie up` and the tests do.
"""

from streams.local.jars import kafka_jars
from streams.local.ports import PortUse, check_ports, free_ports
from streams.local.process import Process, Program
from streams.local.servers import Ports, alertmanager, kafka, prometheus, redis

__all__ = [
    "PortUse",
    "Ports",
    "Process",
    "Program",
    "alertmanager",
    "check_ports",
    "free_ports",
    "kafka",
    "kafka_jars",
    "prometheus",
    "redis",
]
