"""Run a program in place of this process, so that it and all that it starts die with its parent.

`leash.py PARENT_PID PROGRAM [ARGUMENT...]`

The kernel sends SIGKILL to the program when the thread that started it ends, however it ends (PR_SET_PDEATHSIG, kept across exec). That
is not handed on to what the program starts: a process beside it waits for its end, and kills what is left of its session. A
program of its own rather than a `preexec_fn`: that would run Python between fork and exec in a process that may have threads.
Nothing is imported but the standard library, and little of it, to cost a few milliseconds.
"""

import ctypes
import os
import select
import signal
import sys
import time

PR_SET_PDEATHSIG = 1
#: A program that starts others faster than they are killed is not run by us.
KILL_ROUNDS_MAX = 100
_ROUND_SECONDS = 0.005


def die_with(parent: int) -> None:
    """Let this process be killed when its parent ends; end now if it is gone already."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the line above
        sys.exit(1)


def kill_session(leader: int) -> None:
    """Send SIGKILL to the processes of a session, to their children in sessions of their own and so on, until none is left.

    Only a process that went to another session, and whose parent has ended, is not found.
    """
    for _ in range(KILL_ROUNDS_MAX):
        sessions = _sessions()
        found = {pid for pid, (_parent, session) in sessions.items() if session == leader}
        while more := {pid for pid, (parent, _session) in sessions.items() if parent in found} - found:
            found |= more
        if not found:
            return
        for pid in found:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(_ROUND_SECONDS)


def _sessions() -> dict[int, tuple[int, int]]:
    """Parent and session of every process that runs, by its number."""
    found = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat", "rb") as stat:
                words = stat.read().rpartition(b")")[2].split()
        except (FileNotFoundError, ProcessLookupError):  # it has just ended
            continue
        if words[0] not in (b"Z", b"X"):
            found[int(name)] = (int(words[1]), int(words[3]))
    return found


def _outlive(leader: int) -> None:
    """Wait until the leader of a session has ended, and kill the rest; in a session of its own, a child of nobody."""
    os.setsid()
    try:
        ended = os.pidfd_open(leader)
    except OSError:  # a kernel without it, or the program has ended: its parent looks after what is left
        return
    select.select([ended], [], [])
    kill_session(leader)


def _begin_outliving() -> None:
    leader = os.getpid()
    if first := os.fork():
        os.waitpid(first, 0)
    elif os.fork():
        os._exit(0)
    else:
        _outlive(leader)
        os._exit(0)


if __name__ == "__main__":
    die_with(int(sys.argv[1]))
    _begin_outliving()
    os.execvp(sys.argv[2], sys.argv[2:])
