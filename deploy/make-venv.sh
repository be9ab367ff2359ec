#!/bin/sh
# Make or bring up to date the virtual environment: hash-locked requirements, then the project itself, editable.
# Uses uv where it is installed, else venv and pip. Nothing is built but the project, by the locked hatchling.
#
#   deploy/make-venv.sh [.venv]
set -eu

here=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
cd "$here"
venv=${1:-.venv}
python=$venv/bin/python

new_enough() { # a python, of any version
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

find_python() {
    for candidate in "${PYTHON:-}" python3.13 python3.12 python3.11 python3; do
        if [ -n "$candidate" ] && new_enough "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
    echo "Vigie needs Python 3.11 or later: apt-get install python3, or name one: make PYTHON=/path/to/python3" >&2
    exit 1
}

if ! new_enough "$python"; then rm -rf "$venv"; fi

if uv --version >/dev/null 2>&1; then
    if [ ! -x "$python" ]; then uv venv --quiet --python "$(find_python)" "$venv"; fi
    echo "Installing locked requirements into $venv (uv)"
    uv pip install --quiet --python "$python" --require-hashes --only-binary :all: -r requirements.lock.txt
    uv pip install --quiet --python "$python" --no-deps --no-build-isolation -e .
    exit 0
fi

if ! "$python" -m pip --version >/dev/null 2>&1; then
    base=$(find_python)
    if ! "$base" -c 'import ensurepip' >/dev/null 2>&1; then # Debian keeps it in a package of its own
        if [ "$(id -u)" -eq 0 ]; then sudo=""; else sudo=sudo; fi
        version=$("$base" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        echo "Installing python$version-venv"
        $sudo apt-get update -qq
        DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends "python$version-venv"
    fi
    "$base" -m venv "$venv"
fi
echo "Installing locked requirements into $venv (pip): two minutes or more"
"$python" -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r requirements.lock.txt
"$python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
