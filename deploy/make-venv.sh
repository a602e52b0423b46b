#!/bin/sh
# Makes a virtual environment in $2 with the Python $1; says what to do where Debian's python3-venv is missing.
set -eu
python=$1
venv=$2
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "This needs Python 3.11 or newer; '$python' is $("$python" --version). Say: make PYTHON=/path/to/python3.11 run" >&2
    exit 1
}
if "$python" -c 'import ensurepip' 2>/dev/null; then
    exec "$python" -m venv "$venv"
fi
if "$python" -m pip --version >/dev/null 2>&1; then
    "$python" -m venv --without-pip "$venv"
    exec "$python" -m pip --python "$venv/bin/python" install --quiet pip
fi
echo "This Python has neither ensurepip nor pip. On Debian: apt install python3-venv (or ask your administrator)." >&2
exit 1
