# Load modules in a shell of its own and hand back what that changed; nothing that a module does reaches the caller.
#
#   bash -p load.bash FORM STATE INIT PURGE MODULEPATH MODULE...
#
# FORM      exports: STATE becomes bash code that repeats the change; environ: it becomes the whole environment,
#           NAME=VALUE entries that end in NUL, led by hpcenv_was_NAME=VALUE for what search and import paths were
#           before the modules came; it is written with status 93, too
# STATE     file to write, complete only if its last line is “# complete” (exports) or the status is 0
# INIT      the module system's own start file for bash (“module” can not be inherited: -p refuses functions)
# PURGE     default: keep what the site made sticky or loads by default; purge: everything goes; none: nothing goes
# MODULEPATH  folders that are searched too, after those of the environment
# MODULE... full names, in order; “restore NAME” as one word restores a collection instead
#
# Status: 0 all are loaded, 91 no module system, 93 some are not loaded (their names are the last line on standard
# error), 94 a module ended the shell. What modules print goes to standard error, warnings too.

hpcenv_form=$1 hpcenv_state=$2 hpcenv_init=$3 hpcenv_purge=$4 hpcenv_path=$5
shift 5
exec 1>&2 </dev/null
unset BASH_ENV ENV
hpcenv_modules=("$@")
set --

declare -A hpcenv_before=()
for hpcenv_name in $(compgen -e); do
  hpcenv_before[$hpcenv_name]=${!hpcenv_name}
done

hpcenv_done=
trap '[ -n "$hpcenv_done" ] || { echo "A module ended the shell that loaded it." >&2; exit 94; }' EXIT
hpcenv_end() { hpcenv_done=1; exit "$1"; }

if [ -n "$hpcenv_init" ]; then
  [ -r "$hpcenv_init" ] || { echo "The module system’s start file $hpcenv_init is not there." >&2; hpcenv_end 91; }
  . "$hpcenv_init"
fi
command -v module >/dev/null || { echo "There is no command “module”." >&2; hpcenv_end 91; }

if [ -n "${LOADEDMODULES:-}" ]; then
  case $hpcenv_purge in
  purge) module --force purge ;;
  default) if [ -n "${LMOD_SYSTEM_DEFAULT_MODULES:-}" ]; then module reset; else module purge; fi ;;
  esac
fi
# Split without a here-string: older shells write those to a temporary file, and that may be full.
set -f
IFS=:
hpcenv_folders=($hpcenv_path)
unset IFS
set +f
for hpcenv_name in "${hpcenv_folders[@]}"; do
  [ -n "$hpcenv_name" ] || continue
  case ":${MODULEPATH:-}:" in
  *":$hpcenv_name:"*) ;;
  *) export MODULEPATH=${MODULEPATH:+$MODULEPATH:}$hpcenv_name ;;
  esac
done
# Without modules nothing on PYTHONPATH can be theirs; what a person has set there would steer the environment.
[ -n "${LOADEDMODULES:-}" ] || unset PYTHONPATH

hpcenv_was=()
for hpcenv_name in MODULEPATH PATH PYTHONPATH EBPYTHONPREFIXES; do
  hpcenv_was+=("hpcenv_was_$hpcenv_name=${!hpcenv_name:-}")
done

hpcenv_is_loaded() {
  case ":${LOADEDMODULES:-}:" in
  *":$1:"* | *":$1/"*) return 0 ;;
  esac
  module is-loaded "$1" >/dev/null 2>&1
}

if [ "${#hpcenv_modules[@]}" = 1 ] && [ "${hpcenv_modules[0]#restore }" != "${hpcenv_modules[0]}" ]; then
  module restore "${hpcenv_modules[0]#restore }" || { echo "${hpcenv_modules[0]}" >&2; hpcenv_end 93; }
  hpcenv_modules=()
elif [ "${#hpcenv_modules[@]}" -gt 0 ]; then
  module load "${hpcenv_modules[@]}"
fi
IFS=$' \t\n' # a module may have set another
hpcenv_missing=
for hpcenv_name in "${hpcenv_modules[@]}"; do
  hpcenv_is_loaded "$hpcenv_name" || hpcenv_missing="$hpcenv_missing $hpcenv_name"
done
unset BASH_ENV ENV
if [ "$hpcenv_form" = environ ]; then
  { printf '%s\0' "${hpcenv_was[@]}"; command env -0; } >"$hpcenv_state" || hpcenv_end 90
fi
if [ -n "$hpcenv_missing" ]; then
  echo "Not loaded:$hpcenv_missing" >&2
  hpcenv_end 93
fi
[ "$hpcenv_form" != environ ] || hpcenv_end 0

hpcenv_is_own() {
  case $1 in hpcenv_* | BASH | BASHOPTS | BASH_* | _ | SHLVL | PWD | OLDPWD) return 0 ;; esac
  return 1
}
{
  for hpcenv_name in "${!hpcenv_before[@]}"; do
    [ -n "${!hpcenv_name+set}" ] || hpcenv_is_own "$hpcenv_name" || printf 'unset -v %s\n' "$hpcenv_name"
  done
  for hpcenv_name in $(compgen -e); do
    hpcenv_is_own "$hpcenv_name" && continue
    if [ -z "${hpcenv_before[$hpcenv_name]+set}" ] || [ "${!hpcenv_name}" != "${hpcenv_before[$hpcenv_name]}" ]; then
      printf 'export %s=%q\n' "$hpcenv_name" "${!hpcenv_name}"
    fi
  done
  echo '# complete'
} >"$hpcenv_state" || hpcenv_end 90
hpcenv_end 0
