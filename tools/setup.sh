#!/usr/bin/env bash
# Make .venv hold exactly what requirements.lock names (hash-checked) and this project itself. Called by `make setup`
# with PYTHON, VENV and UV_VERSION set.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() {
  echo "error: $*" >&2
  exit 1
}

PYTHON=$(PYTHON="$PYTHON" bash tools/find_python.sh)
version=$("$PYTHON" -c 'import sys; print("%d.%d" % sys.version_info[:2])')

free_mb=$(df -Pm . | awk 'NR == 2 { print $4 }')
if [ ! -x "$VENV/bin/python" ] && [ "$free_mb" -lt 900 ]; then
  fail "the disk is full: $free_mb MB free here, the environment needs 900"
fi
[ -w . ] || fail "cannot write to $PWD"

# A virtual environment that was moved or lost its Python cannot be repaired, only made again.
if [ -d "$VENV" ] && ! "$VENV/bin/python" -c 'import pip' >/dev/null 2>&1; then
  rm -rf "$VENV"
fi
if [ ! -d "$VENV" ]; then
  "$PYTHON" -m venv "$VENV" >/dev/null 2>&1 || {
    rm -rf "$VENV"
    fail "$PYTHON cannot make a virtual environment (on Debian and Ubuntu: apt-get install python$version-venv)"
  }
fi

log="$VENV/setup.log"
explain() { # the line of the log that says why, and what people meet most often
  if grep -qiE 'No space left' "$log"; then fail "the disk is full (see $log)"; fi
  if grep -qiE 'gcc|compiler|Failed to build|error: command .* failed' "$log"; then
    fail "a package has no ready-made wheel for Python $version on $(uname -sm) and would need a C compiler; \
use another Python 3.11+ or install a compiler (see $log)"
  fi
  fail "installing the packages failed: $(grep -iE 'error' "$log" | tail -1) (see $log)"
}

echo "  ... installing the packages into $VENV"
python=$VENV/bin/python
has_uv() { [ "$("$VENV/bin/uv" --version 2>/dev/null | cut -d' ' -f2)" = "$UV_VERSION" ]; }
if has_uv || "$python" -m pip install -q "uv==$UV_VERSION" >"$log" 2>&1; then
  "$VENV/bin/uv" pip sync -q --python "$python" --require-hashes requirements.lock >"$log" 2>&1 || explain
  project="$VENV/bin/uv pip install -q --python $python"
else
  "$python" -m pip install -q --require-hashes -r requirements.lock >"$log" 2>&1 || explain
  project="$python -m pip install -q"
fi
# The build backend is in the lock too: nothing is fetched for the project itself.
$project --no-deps --no-build-isolation -e . >>"$log" 2>&1 || explain
