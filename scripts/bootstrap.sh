# Sourced by demo and test: make .venv in this checkout and keep every cache in .cache.
# Needs bash and python3 (3.10 or later); installs nothing outside this checkout except, in `test`,
# Debian packages where it may.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
CHECKOUT=$PWD

say() { printf '%s\n' "$*" >&2; }
fail() {
  say "$1"
  shift
  for hint in "$@"; do say "  → $hint"; done
  exit 1
}

# Settings of the person who runs this must not reach what we build: pip and uv see the checkout's own.
scrub() {
  local name
  for name in $(compgen -e); do
    case $name in
      PIP_CERT | PIP_PROXY | PIP_INDEX_URL | PIP_TRUSTED_HOST) ;;
      PIP_* | UV_* | JUPYTER* | JPY_* | VIRTUAL_ENV | CONDA_* | PYTHONPATH | PYTHONHOME | PYTHONSTARTUP | PYTHONDONTWRITEBYTECODE) unset "$name" ;;
    esac
  done
  export PIP_CONFIG_FILE=/dev/null PIP_DISABLE_PIP_VERSION_CHECK=1
  export PIP_CACHE_DIR=$CHECKOUT/.cache/pip UV_CACHE_DIR=$CHECKOUT/.cache/uv npm_config_cache=$CHECKOUT/.cache/npm
  export UV_LINK_MODE=hardlink UV_PYTHON_DOWNLOADS=never
}

find_python() {
  local candidate
  for candidate in "${PYTHON:-}" python3 python3.13 python3.12 python3.11 python3.10; do
    if [ -n "$candidate" ] && command -v "$candidate" >/dev/null &&
      "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
      # A shim of a version manager points elsewhere as soon as HOME changes: take what it means now.
      "$candidate" -c 'import sys; print(sys.executable)'
      return
    fi
  done
  fail "No Python 3.10 or later was found." "Install one, or say where it is: PYTHON=/path/to/python3 scripts/demo"
}

# make_venv EXTRAS: .venv with this checkout installed editable; done again only when its inputs change.
make_venv() {
  local extras=$1 stamp wanted python
  stamp=$CHECKOUT/.venv/.installed
  wanted=$(cat pyproject.toml labextension/package-lock.json; find labextension/src labextension/style labextension/schema -type f -exec cat {} + | cksum)
  wanted=$(printf '%s' "$wanted" | cksum)
  if [ -f "$stamp" ] && [ -x .venv/bin/jupyter-hpcenv ]; then
    # What the tests need holds all that the demo needs.
    if grep -qxF "$wanted $extras" "$stamp" || { [ "$extras" = demo ] && grep -qF "$wanted " "$stamp"; }; then
      return
    fi
  fi
  python=$(find_python)
  if [ ! -x .venv/bin/python ]; then
    say "Making .venv with $python …"
    if ! "$python" -m venv --without-pip .venv 2>/dev/null; then
      rm -rf .venv
      fail "$python can not make a virtual environment." "Install its venv module (Debian: apt-get install python3-venv)."
    fi
  fi
  if [ ! -x .venv/bin/uv ]; then
    if .venv/bin/python -m ensurepip --upgrade --default-pip >/dev/null 2>&1; then
      .venv/bin/python -m pip install --quiet "uv>=0.8"
    elif "$python" -m pip --version >/dev/null 2>&1; then
      "$python" -m pip --python .venv/bin/python install --quiet "uv>=0.8"
    else
      fail "Neither ensurepip nor pip is there for $python." "Install one (Debian: apt-get install python3-venv python3-pip)."
    fi
  fi
  say "Installing jupyter_hpcenv and what it needs (a few minutes the first time) …"
  rm -rf jupyter_hpcenv/labextension # built again from the sources that are here now
  .venv/bin/uv pip install --quiet --python .venv/bin/python --editable ".[$extras]"
  printf '%s %s\n' "$wanted" "$extras" >"$stamp"
}

scrub
