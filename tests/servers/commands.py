"""`vigie` commands in this process: a start of Python a command is what makes a test suite slow."""

from collections.abc import Mapping
from dataclasses import dataclass

from click.testing import CliRunner

from streams.cli import cli
from streams.errors import VigieError


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended; `message` is what it wrote to standard error, with the error that ended it."""

    code: int
    stdout: bytes
    message: str

    @property
    def said(self) -> str:
        """Everything that it wrote."""
        return self.stdout.decode() + self.message


def run(environment: Mapping[str, str], *words: str, given: bytes | None = None) -> Ended:
    """Run one command to its end. What is no `VigieError` is a defect, and is raised.

    Args:
        environment: What it has beyond this process's own.
        given: Its standard input.
    """
    done = CliRunner().invoke(cli, words, env=environment, input=given)
    if isinstance(done.exception, VigieError):
        return Ended(done.exception.exit_code, done.stdout_bytes, f"{done.stderr}vigie: {done.exception}\n")
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return Ended(done.exit_code, done.stdout_bytes, done.stderr)
