#!/usr/bin/env bash
# Makes a clone ready: Java and Maven, a virtual environment with every pinned package, Kafka's jars. Each step is
# skipped when it is done, so this may run before every command. It does not change pip's settings.
set -euo pipefail
cd "${BASH_SOURCE[0]%/*}/.."
python=${PYTHON:-python3}

java_will_do() {
  [[ $(java -version 2>&1) =~ version\ \"(1\.)?([0-9]+) ]] && ((BASH_REMATCH[2] >= 17))
}

# prints the Debian packages that are missing
missing() {
  java_will_do || echo "openjdk-17-jre-headless"
  command -v mvn >/dev/null || echo "maven"
  command -v promtool >/dev/null || echo "prometheus" # its promtool tests the alert rules
  "$python" -c "import ensurepip, venv" 2>/dev/null || echo "python3-venv"
}

install_missing() {
  local packages
  mapfile -t packages < <(missing)
  ((${#packages[@]})) || return 0
  if [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null; then
    echo "Installing ${packages[*]} ..."
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    # later Debians have a newer Java instead
    apt-cache show openjdk-17-jre-headless &>/dev/null || packages=("${packages[@]/openjdk-17-jre-headless/default-jre-headless}")
    apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
    mapfile -t packages < <(missing)
    ((${#packages[@]})) || return 0
  fi
  echo "Something is missing. Install it, then try again: sudo apt-get install -y ${packages[*]}" >&2
  exit 2
}

# once STAMP VALUE COMMAND...: runs the command unless it ended well with this very value before
once() {
  local stamp=.venv/.done-$1 value=$2
  [[ -f $stamp && $(<"$stamp") == "$value" ]] && return
  "${@:3}"
  echo "$value" >"$stamp"
}

make_venv() {
  # a virtual environment depends on its Python and its path, so one made for others cannot be used
  if [[ -f .venv/.done-venv ]]; then "$python" -m venv --clear .venv; else "$python" -m venv .venv; fi
}

install_requirements() {
  echo "Installing the pinned Python packages ..."
  .venv/bin/python -m pip install --quiet --require-hashes -r requirements/dev.txt
}

install_project() {
  .venv/bin/python -m pip install --quiet --no-deps --no-build-isolation -e .
}

sum() { sha256sum <"$1"; }

install_missing
"$python" -c "import sys; sys.exit(sys.version_info < (3, 11))" || {
  echo "Python 3.11 or newer is needed. Try again with it: PYTHON=python3.11 make setup" >&2
  exit 2
}
once venv "$("$python" -V) $PWD" make_venv
once requirements "$(sum requirements/dev.txt)" install_requirements
once project "$(sum pyproject.toml)" install_project
.venv/bin/python -m deploy.kafka.jars
