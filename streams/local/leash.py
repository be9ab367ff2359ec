"""Replace this process by a program that dies with its parent: `python -I -S leash.py PARENT_PID PROGRAM [ARGUMENT...]`.

The kernel sends SIGKILL to the program when the thread that started it ends, however it ends (PR_SET_PDEATHSIG, kept across exec). A
program of its own rather than a `preexec_fn`: that would run Python between fork and exec in a process that may have threads.
Nothing is imported but the standard library, to cost a few milliseconds.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def die_with(parent: int) -> None:
    """Let this process be killed when its parent ends; end now if it is gone already."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the line above
        sys.exit(1)


if __name__ == "__main__":
    die_with(int(sys.argv[1]))
    os.execvp(sys.argv[2], sys.argv[2:])
