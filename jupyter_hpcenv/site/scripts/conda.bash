# Run what conda's activation runs in a shell of its own, and hand back what that changed; whatever else a script does
# stays here.
#
#   bash -p conda.bash STATE PREFIX
#
# STATE   file to write: before each script its name, as a comment; at the end shell code (POSIX) that repeats the
#         change, complete only if its last line is “# complete”
# PREFIX  the conda environment; the caller has exported CONDA_PREFIX, PATH and their like
#
# The order is conda's: variables that packages bring (etc/conda/env_vars.d), variables that a person had conda keep
# (conda-meta/state), then etc/conda/activate.d/*.sh by name. Values are data all the way and never become code.
#
# Status: 0 if STATE is complete, 90 if it could not be written. What scripts print goes to standard error.

hpcenv_state=$1 hpcenv_prefix=$2
shift 2
exec 1>&2 </dev/null
unset BASH_ENV ENV

declare -A hpcenv_before=() hpcenv_after=() hpcenv_variables=()
hpcenv_order=()
for hpcenv_name in $(compgen -e); do
  hpcenv_before[$hpcenv_name]=${!hpcenv_name}
done

# -- variables: JSON, read without any other program ------------------------------------------------------------------

hpcenv_space() { hpcenv_text=${hpcenv_text#"${hpcenv_text%%[!$' \t\r\n']*}"}; }

# Take the string at the head of hpcenv_text; leave it in hpcenv_string, and in hpcenv_odd whether no variable holds it.
hpcenv_take_string() {
  local chunk code low bytes
  hpcenv_string= hpcenv_odd=
  [ "${hpcenv_text:0:1}" = '"' ] || return
  hpcenv_text=${hpcenv_text:1}
  while :; do
    chunk=${hpcenv_text%%[\"\\]*}
    [ "$chunk" != "$hpcenv_text" ] || return
    case $chunk in *[$'\x01'-$'\x1f']*) return 1 ;; esac
    hpcenv_string+=$chunk
    hpcenv_text=${hpcenv_text:${#chunk}}
    case $hpcenv_text in
    '"'*)
      hpcenv_text=${hpcenv_text:1}
      return 0
      ;;
    '\u'[0-9a-fA-F][0-9a-fA-F][0-9a-fA-F][0-9a-fA-F]*)
      code=$((16#${hpcenv_text:2:4}))
      hpcenv_text=${hpcenv_text:6}
      case $((code >> 10)):$hpcenv_text in
      '54:\u'[dD][c-fC-F][0-9a-fA-F][0-9a-fA-F]*) # a pair of surrogates is one character
        low=$((16#${hpcenv_text:2:4}))
        hpcenv_text=${hpcenv_text:6}
        code=$((0x10000 + ((code & 0x3ff) << 10) + (low & 0x3ff)))
        ;;
      54:* | 55:*) hpcenv_odd=1 ;; # half of one is none
      esac
      [ "$code" != 0 ] || hpcenv_odd=1
      if [ "$code" -lt 128 ]; then
        printf -v bytes '\\%03o' "$code"
      elif [ "$code" -lt 2048 ]; then
        printf -v bytes '\\%03o' $((code >> 6 | 0xc0)) $((code & 63 | 128))
      elif [ "$code" -lt 65536 ]; then
        printf -v bytes '\\%03o' $((code >> 12 | 0xe0)) $((code >> 6 & 63 | 128)) $((code & 63 | 128))
      else
        printf -v bytes '\\%03o' $((code >> 18 | 0xf0)) $((code >> 12 & 63 | 128)) $((code >> 6 & 63 | 128)) \
          $((code & 63 | 128))
      fi
      printf -v bytes "$bytes"
      hpcenv_string+=$bytes
      ;;
    '\'[\"\\/bfnrt]*)
      case ${hpcenv_text:1:1} in
      b) hpcenv_string+=$'\b' ;;
      f) hpcenv_string+=$'\f' ;;
      n) hpcenv_string+=$'\n' ;;
      r) hpcenv_string+=$'\r' ;;
      t) hpcenv_string+=$'\t' ;;
      *) hpcenv_string+=${hpcenv_text:1:1} ;;
      esac
      hpcenv_text=${hpcenv_text:2}
      ;;
    *) return 1 ;;
    esac
  done
}

# Take the value at the head of hpcenv_text. What $1 says of an object: “members” are kept as variables, “in KEY” those
# of the object that is its member KEY, “skip” none.
hpcenv_take() {
  local want=$1 close name
  hpcenv_space
  case $hpcenv_text in
  '{'* | '['*)
    [ "${#FUNCNAME[@]}" -lt 50 ] || return
    close='}'
    [ "${hpcenv_text:0:1}" = '{' ] || close=']'
    hpcenv_text=${hpcenv_text:1}
    hpcenv_space
    if [ "${hpcenv_text:0:1}" = "$close" ]; then
      hpcenv_text=${hpcenv_text:1}
      return 0
    fi
    while :; do
      name=
      if [ "$close" = '}' ]; then
        hpcenv_take_string || return
        name=${hpcenv_odd:+?}$hpcenv_string
        hpcenv_space
        [ "${hpcenv_text:0:1}" = : ] || return
        hpcenv_text=${hpcenv_text:1}
        hpcenv_space
      fi
      if [ "$want$close" = 'members}' ]; then
        if [ "${hpcenv_text:0:1}" = '"' ]; then
          hpcenv_take_string || return
        else
          hpcenv_take skip || return
          hpcenv_odd=1
        fi
        hpcenv_found+=("$name") hpcenv_values+=("$hpcenv_string") hpcenv_odds+=("$hpcenv_odd")
      elif [ "$want$close" = "in $name}" ]; then
        hpcenv_take members || return
      else
        hpcenv_take skip || return
      fi
      hpcenv_space
      case $hpcenv_text in
      ,*) hpcenv_text=${hpcenv_text:1} && hpcenv_space ;;
      "$close"*) hpcenv_text=${hpcenv_text:1} && return ;;
      *) return 1 ;;
      esac
    done
    ;;
  '"'*) hpcenv_take_string ;;
  *)
    [[ ${hpcenv_text:0:60} =~ ^(true|false|null|-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?)($|[^0-9a-zA-Z.+-]) ]] ||
      return
    hpcenv_text=${hpcenv_text:${#BASH_REMATCH[1]}}
    ;;
  esac
}

# Tell whether a file may set the variable $1: a name, and none that steers a shell, this launch or what started it.
hpcenv_may_set() {
  case $1 in
  '' | [0-9]* | *[!A-Za-z0-9_]*) return 1 ;;
  BASH* | ENV | PROMPT_COMMAND | IFS | SHELLOPTS | PS4 | PATH | HOME | _ | UID | EUID | PPID | GROUPS | SECONDS) return 1 ;;
  RANDOM | SRANDOM | LINENO | OPTIND | OPTARG | OPTERR | FUNCNAME | DIRSTACK | __PYVENV_LAUNCHER__) return 1 ;;
  VIRTUAL_ENV | CONDA_PREFIX | CONDA_DEFAULT_ENV | CONDA_SHLVL | CONDA_PROMPT_MODIFIER) return 1 ;;
  JPY_* | JUPYTERHUB_* | JUPYTER_TOKEN | HPCENV_*) return 1 ;;
  esac
}

# Keep in hpcenv_variables what the file $1 sets: its members, or those of its member $2.
hpcenv_read() {
  local LC_ALL=C name at
  hpcenv_text= hpcenv_found=() hpcenv_values=() hpcenv_odds=()
  if [ -e "$1" ]; then
    [ ! -f "$1" ] || IFS= read -r -N 65537 hpcenv_text <"$1"
    if [ "${#hpcenv_text}" -gt 65536 ] || ! hpcenv_take "${2:+in }${2:-members}" || ! hpcenv_space || [ -n "$hpcenv_text" ]; then
      printf '%s can not be read as JSON, so the variables in it are not set.\n' "$1"
      return
    fi
  fi
  for at in "${!hpcenv_found[@]}"; do
    name=${hpcenv_found[at]}
    if [ -n "${hpcenv_odds[at]}" ]; then
      printf 'The variable %q of %s is not set: no variable can have its value.\n' "$name" "$1"
    elif ! hpcenv_may_set "${name^^}"; then
      printf 'The variable %q of %s is not set: it is not for conda to set.\n' "$name" "$1"
    else
      [ -n "${hpcenv_variables[$name]+set}" ] || hpcenv_order+=("$name")
      hpcenv_variables[$name]=${hpcenv_values[at]}
    fi
  done
}

# Leave in hpcenv_files what lies in the folder $1 and ends in $2, in the order of bytes, as conda has it.
hpcenv_list() {
  local LC_ALL=C
  hpcenv_files=("$hpcenv_prefix/etc/conda/$1"/*"$2")
}

hpcenv_list env_vars.d ''
for hpcenv_file in "${hpcenv_files[@]}"; do
  hpcenv_read "$hpcenv_file"
done
hpcenv_read "$hpcenv_prefix/conda-meta/state" env_vars
for hpcenv_name in "${hpcenv_order[@]}"; do
  # A name goes in capitals, and what conda was told to forget is not set: both are conda's way.
  [ "${hpcenv_variables[$hpcenv_name]}" = '***unset***' ] ||
    export "${hpcenv_name^^}=${hpcenv_variables[$hpcenv_name]}"
done
unset hpcenv_text hpcenv_string hpcenv_found hpcenv_values hpcenv_odds

# -- scripts -----------------------------------------------------------------------------------------------------------

hpcenv_list activate.d .sh
for hpcenv_file in "${hpcenv_files[@]}"; do
  if [ ! -f "$hpcenv_file" ] || [ ! -r "$hpcenv_file" ]; then
    [ ! -e "$hpcenv_file" ] || printf '%s is no file that can be read, so it is not run.\n' "$hpcenv_file"
    continue
  fi
  printf '# %s\n' "${hpcenv_file##*/}" >|"$hpcenv_state" || exit 90
  set --
  . "$hpcenv_file"
  hpcenv_status=$?
  # What one leaves behind for its shell is not for the next one, nor for what follows here.
  set +aefuvxC +o posix +o pipefail
  shopt -u nullglob failglob nocasematch nocaseglob
  trap - DEBUG ERR RETURN EXIT
  IFS=$' \t\n'
  [ "$hpcenv_status" = 0 ] || printf '%s ended with status %s.\n' "$hpcenv_file" "$hpcenv_status"
done
unset BASH_ENV ENV

# -- what that changed -------------------------------------------------------------------------------------------------

hpcenv_is_own() {
  case $1 in hpcenv_* | BASH | BASHOPTS | BASH_* | SHELLOPTS | _ | SHLVL | PWD | OLDPWD) return 0 ;; esac
  return 1
}

# Print $1 as one word, between single quotes: every shell reads it back as it is.
hpcenv_quoted() {
  local LC_ALL=C rest=$1 quoted="'"
  while [[ $rest == *\'* ]]; do
    quoted+=${rest%%\'*}"'\\''"
    rest=${rest#*\'}
  done
  printf '%s' "$quoted$rest'"
}

{
  for hpcenv_name in $(compgen -e); do
    hpcenv_is_own "$hpcenv_name" && continue
    hpcenv_after[$hpcenv_name]=1
    if [ -z "${hpcenv_before[$hpcenv_name]+set}" ] || [ "${!hpcenv_name}" != "${hpcenv_before[$hpcenv_name]}" ]; then
      printf 'export %s=' "$hpcenv_name" && hpcenv_quoted "${!hpcenv_name}" && echo
    fi
  done
  for hpcenv_name in "${!hpcenv_before[@]}"; do
    [ -n "${hpcenv_after[$hpcenv_name]+set}" ] || hpcenv_is_own "$hpcenv_name" || printf 'unset %s\n' "$hpcenv_name"
  done
  echo '# complete'
} >|"$hpcenv_state" || exit 90
exit 0
