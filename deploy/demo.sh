#!/bin/sh
# `make demo`: `vigie up` in the foreground, in an empty data directory of its own. Ends with vigie's exit code. The directory is removed at the
# end, unless something went wrong: then its logs are wanted.
# Ctrl-C reaches vigie directly, with this script; any other signal is handed on. Both wait for its clean stop.
set -u

here=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
data=$(mktemp -d "${TMPDIR:-/tmp}/vigie-demo.XXXXXX") || exit 1

# In the background, because a shell that waits for a foreground child sees no signal; such a child ignores Ctrl-C unless told otherwise.
env --default-signal=INT "$here/.venv/bin/vigie" up --data-dir "$data" "$@" &
vigie=$!
trap : INT
trap 'kill -TERM "$vigie" 2>/dev/null' TERM HUP
while :; do
    wait "$vigie"
    code=$?
    kill -0 "$vigie" 2>/dev/null || break # still there: the wait was interrupted by a signal
done
if [ "$code" -eq 0 ] || [ "$code" -ge 128 ]; then
    rm -rf "$data"
    echo "the demo's data directory is removed"
else
    echo "the demo ended with $code; its data and logs are kept in $data" >&2
fi
exit "$code"
