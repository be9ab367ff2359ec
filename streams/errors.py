"""Every error that Vigie raises on purpose.

    VigieError                    anything a person can act upon: the message says what to do next
     +- SettingsError             a setting, file of settings or list of config/ is wrong (all problems at once)
     +- ServerError               a server (Kafka, Redis, Prometheus) is down, refuses, or is not set up as designed
     |   +- KafkaUnavailable      a call to Kafka failed: it is down, slow, or refuses us
     |   +- RedisUnavailable      the same of Redis
     |   |   +- RedisUnfit        it answers, and is none in which Vigie can count: waiting does not help
     |   +- NotConfirmed          Kafka did not confirm every event of a request in time
     |   +- TopicNotAsDesigned    a topic of Kafka's is not as Vigie needs it: waiting does not help
     +- StateError                what Redis holds cannot be continued safely (layout, mark, topic id, offsets)
     +- InputError                a file, a line or an argument that cannot be used
     |   +- FileRefused           what a file of figures holds: the message names the line
     |   +- NotAnObject           a line of events that is no JSON object
     |   +- Damaged               a compressed file of events that is cut off or broken
     |   +- ArchiveError          an archive that cannot be used as one
     |   +- UnreadableFileError   a file of history that cannot be read now
     |   +- DamagedFileError      a day's file of the archive whose bytes are wrong
     +- RequestRefused            a request to the collector as a whole: what its sender must do
     +- OutOfSight                a viewer does not see what was asked for
     +- TokenRefused              a token that lets nobody in
     +- TokensUnreadable          the file of tokens cannot be used now
     +- BufferFull                too many events wait for Kafka: this one was not taken, publish it again later
     +- NotDelivered              a publisher was closed and some events were not confirmed by Kafka
     +- Interrupted               Ctrl-C while `vigie publish` waits for its next line
     +- NoDataError               nothing is kept of the days that a report asks for
     +- MissingPyarrowError       the archive is used and the extra `history` is not installed
     +- ProcessKilled         a process that shares the work was killed
     +- SimulationError           a process that makes simulated days ended
     +- NameTaken                 another worker of the same name is in the group
     +- DefectError               something that nobody foresaw, and going on would be a lie: the process ends

The command line prints the message alone and exits with `exit_code`; a traceback means a defect of Vigie.
"""

import errno
import os
import re


def tls_advice(said: str, authority: str, protocol: str) -> str | None:
    """What to check where a TLS handshake failed with these words of Python's; None where they are of something else.

    `authority` and `protocol` are the settings that name the authority, and whether to speak TLS.
    """
    if "_ssl.c" not in said and "[SSL" not in said:
        return None
    if "WRONG_VERSION_NUMBER" in said:
        return f"this port does not speak TLS: correct {protocol}, or the port"
    return (
        f"its certificate is refused, the server runs: check that {authority} is the authority that signed it, that it names this "
        "host, and that it is not out of date"
    )


#: What to do where this process, or the machine, has too few descriptors.
RAISE_DESCRIPTORS = "raise its limit (`ulimit -n`, LimitNOFILE= of systemd, --ulimit nofile= of a container)"


def descriptors_advice(said: str) -> str | None:
    """What to do where these words of the system's say that no descriptor is free; None where they are of something else."""
    if os.strerror(errno.EMFILE) in said:  # and of ENFILE, which adds "in system"
        return f"the fault is not the server's, this process has no descriptor free: {RAISE_DESCRIPTORS}"
    return None


#: What clients say where a server takes the connection and is not theirs, ends it, or says nothing; and what to do, with the setting.
_LISTENS = {
    "Protocol error|Invalid frame length|no answer of Kafka's": "another kind of server listens there: correct {}",
    "reset by peer|Connection closed by server|socket disconnected|Error while reading from": (
        "what listens there ends the connection: it stops, wants TLS, or is another kind of server: see its log, or correct {}"
    ),
    "Timeout reading|timed out|no answer in time": (
        "it is slow, hangs, or cannot be reached from here, or another kind of server listens there: see its log, or correct {}"
    ),
}


def listener_advice(said: str, setting: str) -> str | None:
    """What to do where these words of a client's say that something listens; None where nobody does, so that it must be started."""
    return next((advice.format(setting) for words, advice in _LISTENS.items() if re.search(words, said)), None)


class VigieError(Exception):
    """An error whose message tells a person what to do next."""

    exit_code = 2


class SettingsError(VigieError):
    """Settings or the lists of `config/` are wrong; the message lists every problem found."""


class ServerError(VigieError):
    """A server is down, refuses the connection, or is not set up as Vigie needs it."""

    exit_code = 3


class KafkaUnavailable(ServerError):
    """Kafka did not answer a call as needed."""


class RedisUnavailable(ServerError):
    """Redis did not answer a call as needed."""


class RedisUnfit(RedisUnavailable):
    """Redis answers, and is none in which Vigie can count: somebody must name another one."""


class TopicNotAsDesigned(ServerError):
    """Kafka answers, and a topic is not as Vigie needs it: somebody must mend it."""


class StateError(VigieError):
    """The state in Redis or Kafka cannot be continued without losing or doubling counts."""

    exit_code = 4


class InputError(VigieError):
    """A file, a line or an argument cannot be used."""


class FileRefused(InputError):
    """What a file holds cannot be used, and nothing of it was; the message names the line as an editor counts it."""

    exit_code = 1


class NameTaken(VigieError):
    """Another worker has this one's name; to start this one again at once would change nothing."""

    exit_code = 6


class DefectError(VigieError):
    """A defect of Vigie, with which going on would be a lie: its traceback is in the log, the process ends and is started again."""

    exit_code = 5


class BufferFull(VigieError):
    """The event was **not** taken, because as many events as allowed wait for Kafka already. `waiting` says how many."""

    exit_code = 3

    def __init__(self, message: str, waiting: int) -> None:
        super().__init__(message)
        self.waiting = waiting


class NotDelivered(VigieError):
    """Kafka did not confirm every event; the message says how many and why."""

    exit_code = 1
