"""The local stack: real Kafka, Redis, Prometheus and Alertmanager as child processes, then workers and observer.

For development, demonstrations and tests on one machine. No other room may import this one; `vigie up` and the tests do.
"""

from streams.local.jars import kafka_jars
from streams.local.ports import PortUse, check_ports, free_ports
from streams.local.process import Process, Program
from streams.local.run import Hooks, run_stack
from streams.local.screen import FrenchNames, Screen
from streams.local.servers import Receivers, ScrapedPorts, alertmanager, kafka, prometheus, redis
from streams.local.stack import ServerPorts, StackPlan, local_settings

__all__ = [
    "FrenchNames",
    "Hooks",
    "PortUse",
    "Process",
    "Program",
    "Receivers",
    "ScrapedPorts",
    "Screen",
    "ServerPorts",
    "StackPlan",
    "alertmanager",
    "check_ports",
    "free_ports",
    "kafka",
    "kafka_jars",
    "local_settings",
    "prometheus",
    "redis",
    "run_stack",
]
