# Sets $python to a Python that is new enough, or ends the calling script saying what to do.
# shellcheck shell=sh
python=
for name in python3 python3.14 python3.13 python3.12 python3.11; do
    if command -v "$name" >/dev/null 2>&1 &&
        "$name" -I -S -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        python=$name
        break
    fi
done
if [ -z "$python" ]; then
    if command -v python3 >/dev/null 2>&1; then
        found="this machine has $(python3 --version 2>&1)"
    else
        found="this machine has no python3"
    fi
    echo "LibreIMS needs Python 3.11 or newer, but $found." >&2
    echo "On Debian 12 or newer and Ubuntu 24.04 or newer: apt install python3" >&2
    exit 1
fi
