"""Values of rejected events through another program, one a line, so that what a publisher got wrong can be put right before a replay."""

import shlex
import subprocess

import orjson

from streams.errors import InputError

MEND_SECONDS_MAX = 60.0


class Through:
    """`Through("jq -c '.ts |= tonumber'")(values)` are the values as that program prints them."""

    def __init__(self, command: str) -> None:
        try:
            self._words = shlex.split(command)
        except ValueError as error:
            raise InputError(f"--through {command!r} is no command: {error}") from None
        if not self._words:
            raise InputError(
                "--through is empty: name a program that reads one value a line and prints as many, for instance jq -c"
            )

    def __call__(self, values: list[bytes]) -> list[bytes]:
        """Return as many values as were given.

        Raises:
            InputError: the program is missing, fails, takes too long, or prints another number of lines.
        """
        name = self._words[0]
        try:
            done = subprocess.run(
                self._words,
                input=b"".join(_one_line(value) + b"\n" for value in values),
                capture_output=True,
                timeout=MEND_SECONDS_MAX,
                check=False,
            )
        except OSError as error:
            raise InputError(f"--through: {name} cannot be run: {error.strerror}") from None
        except subprocess.TimeoutExpired:
            raise InputError(
                f"--through: {name} took more than {MEND_SECONDS_MAX:g} s for {len(values)} values"
            ) from None
        if done.returncode != 0:
            said = done.stderr.decode(errors="replace").strip()[:300]
            raise InputError(f"--through: {name} ended with {done.returncode}: {said or 'it said nothing'}")
        lines = done.stdout.splitlines()
        if len(lines) != len(values):
            raise InputError(
                f"--through: {name} printed {len(lines)} lines for {len(values)} values: one line a value, in their order"
            )
        return lines


def _one_line(value: bytes) -> bytes:
    if b"\n" not in value and b"\r" not in value:
        return value
    try:
        return orjson.dumps(orjson.loads(value))
    except orjson.JSONDecodeError:
        return value.replace(b"\r", b" ").replace(b"\n", b" ")
