#!/usr/bin/env bash
# Prints the Python to build with: the first of the arguments, or else of the usual names, that is new enough.
set -euo pipefail

new_enough() {
  "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

candidates=("$@")
[ $# -gt 0 ] || candidates=(python3 python3.13 python3.12 python3.11)

for candidate in "${candidates[@]}"; do
  if new_enough "$candidate"; then
    echo "$candidate"
    exit
  fi
done

echo "error: Python 3.11 or newer is needed; not found as: ${candidates[*]}" >&2
echo >&2
echo "hint: install one and name it: make ${MAKECMDGOALS:-demo} PYTHON=python3.11" >&2
exit 1
