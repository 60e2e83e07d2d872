#!/bin/sh
# Makes a virtual environment and installs the bridge into it: sh deploy/venv.sh FOLDER run|test
# Works without the venv module's ensurepip (Debian splits it off), as long as there is a pip.
set -eu
folder=$1
extra=$2

fail() {
    echo "smsbridge: $1" >&2
    exit 1
}

python=
for name in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11; do
    if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        python=$name
        break
    fi
done
[ -n "$python" ] || fail "no Python >= 3.11 found. Install one, or name it: make PYTHON=/path/to/python3 …"

if ! "$folder/bin/python" -c '' 2>/dev/null; then
    echo "smsbridge: making $folder with $("$python" --version)"
    rm -rf "$folder"
    "$python" -m venv --without-pip "$folder" || fail "$python cannot make a virtual environment (Debian: apt-get install python3-venv)"
fi

# A pip inside the environment if Python carries one, else the machine's own pip pointed at it (pip >= 22.3).
if "$folder/bin/python" -m ensurepip --default-pip >/dev/null 2>&1 || "$folder/bin/python" -m pip --version >/dev/null 2>&1; then
    pip="$folder/bin/python -m pip"
elif "$python" -m pip --python "$folder/bin/python" --version >/dev/null 2>&1; then
    pip="$python -m pip --python $folder/bin/python"
else
    fail "no pip >= 22.3 found. Install it (Debian: apt-get install python3-pip)"
fi

case $extra in
    test) what='.[test]' ;;
    *) what='.' ;;
esac
echo "smsbridge: installing (the first time takes a minute or two)"
$pip install --quiet --disable-pip-version-check --no-warn-script-location --use-pep517 --constraint constraints.txt --editable "$what" ||
    fail "pip could not install the bridge; its message is above. Check the network or the package index, then try again."
