#!/usr/bin/env bash
# Print the Python that the environment is made with: PYTHON if it is set, else the first 3.11 on the PATH, for the lock was
# made and tested with it; else the oldest later one. Of several of one version an optimised one is taken.
set -euo pipefail

fail() {
  echo "error: $*" >&2
  exit 1
}

# Version managers leave names behind that don't run.
is_recent() {
  "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

# Built with profile-guided optimisation, without which services take a tenth to a fifth more CPU: distributions build so,
# version managers only when told. It must be able to make an environment, too: Debian's needs a package for that.
is_optimised() {
  "$1" -c '
import ensurepip, sys, sysconfig
told = "--enable-optimizations" in (sysconfig.get_config_var("CONFIG_ARGS") or "")
sys.exit(not (told or sys.base_prefix == "/usr"))' >/dev/null 2>&1
}

if [ -n "${PYTHON:-}" ]; then
  is_recent "$PYTHON" || fail "$PYTHON is not a Python 3.11 or later"
  echo "$PYTHON"
  exit
fi
first=
for name in python3.11 python3.12 python3.13 python3.14 python3; do
  while read -r candidate; do
    is_recent "$candidate" || continue
    if is_optimised "$candidate"; then
      echo "$candidate"
      exit
    fi
    first=${first:-$candidate}
  done < <(type -ap "$name")
  [ -z "$first" ] || break
done
[ -n "$first" ] || fail "Python 3.11 or later is needed, found: $(python3 --version 2>&1 | head -1)" \
  "(name another with PYTHON=/path/to/python make setup)"
echo "$first"
