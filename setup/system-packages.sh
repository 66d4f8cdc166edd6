#!/usr/bin/env bash
# Installs what Python packages cannot bring (the PC/SC service, the virtual reader's driver, what
# building pyscard takes, a terminal that tests can look at, other people's NFC and key tools that judge
# our cards, a print service and other people's PDF tools that judge our prints, a browser that judges our
# pages, fonts of many scripts, a database server), each only where it is missing: as root, or by a sudo
# that asks for no password. Where neither works it says what to run, and fails.
#
# usage: setup/system-packages.sh PYTHON
set -euo pipefail

python=$1
log=.setup/apt.log
missing=()

# need "PACKAGES" CHECK...: the packages are missing where the check fails
need() {
  local packages=$1
  shift
  "$@" >/dev/null 2>&1 || missing+=($packages)
}

has_program() {
  PATH=$PATH:/usr/sbin:/sbin command -v "$1"
}

has_virtual_reader() {
  compgen -G '/usr/lib*/pcsc/drivers/serial/libifdvpcd.so*'
}

has_python_headers() {
  "$python" -c 'import pathlib, sys, sysconfig
sys.exit(not pathlib.Path(sysconfig.get_path("include"), "Python.h").exists())'
}

compiles_c() {
  echo '#include <stdio.h>' | gcc -E -
}

# Debian keeps the programs of a server where no PATH leads; tests start servers of their own.
has_postgresql() {
  compgen -G '/usr/lib/postgresql/*/bin/initdb' || has_program initdb
}

is_root() {
  [ "$(id -u)" = 0 ]
}

as_root() {
  if is_root; then "$@"; else sudo -n "$@"; fi
}

# The lists of a new machine are empty, and those of an old one name files that are gone.
apt_install() {
  local install=(env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends "$@")
  as_root "${install[@]}" || { as_root apt-get update && as_root "${install[@]}"; }
}

python_name=$("$python" -c 'import sys; print("python%d.%d" % sys.version_info[:2])')

need "gcc libc6-dev" compiles_c
need libpcsclite-dev test -e /usr/include/PCSC/winscard.h
need pcscd has_program pcscd
need vsmartcard-vpcd has_virtual_reader
need libnfc-bin has_program nfc-list
need libfreefare-bin has_program mifare-desfire-info
need opensc has_program opensc-tool
need pcsc-tools has_program pcsc_scan
need softhsm2 has_program softhsm2-util
need "cups cups-client" has_program cupsd
need printer-driver-cups-pdf test -e /usr/lib/cups/backend/cups-pdf
need ghostscript has_program gs
need tmux has_program tmux
need poppler-utils has_program pdffonts
need chromium test -x /usr/bin/chromium
need postgresql has_postgresql
need fonts-noto-core test -e /usr/share/fonts/truetype/noto/NotoSansArabic-Regular.ttf
need "$python_name-dev" has_python_headers
need "$python_name-venv" "$python" -c 'import ensurepip, venv'

[ ${#missing[@]} -gt 0 ] || exit 0

if ! has_program apt-get >/dev/null; then
  echo "error: missing on this machine, by their Debian names: ${missing[*]}" >&2
  echo >&2
  echo "hint: install them with the package manager of this system, then run the same command again" >&2
  exit 1
fi

sudo="sudo "
! is_root || sudo=
by_hand="${sudo}apt-get update && ${sudo}apt-get install --no-install-recommends ${missing[*]}"

if ! as_root true 2>/dev/null; then
  echo "error: system packages are missing, and only root may install them: ${missing[*]}" >&2
  echo >&2
  echo "hint: $by_hand" >&2
  exit 1
fi

echo "Installing system packages: ${missing[*]}"
mkdir -p "${log%/*}"
: >"$log"
if ! apt_install "${missing[@]}" >"$log" 2>&1 </dev/null; then
  tail -n 5 "$log" >&2
  echo "error: apt-get could not install: ${missing[*]} (all it said: $log)" >&2
  echo >&2
  echo "hint: $by_hand" >&2
  exit 1
fi
