#!/bin/sh
# Print what kind of computer this is, as the site calls it: target.sh ROOT MACHINE VARIABLE...
#
# The builds of an environment are named so. The variables that are set say it, joined by hyphens; without any, the
# release of the operating system and the level of the processor, which are read below ROOT, of MACHINE or else this one.
# site/target.py does the same.

root=$1 machine=$2 target=
shift 2
for each; do
  eval "value=\${$each-}"
  [ -z "$value" ] || target=${target:+$target-}$value
done

# hpcenv_safe: make the target the name of a folder, byte by byte whatever the locale is.
hpcenv_safe() {
  case $target in
  *[!ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._+-]*)
    target=$(printf '%s' "$target" | LC_ALL=C tr -c 'A-Za-z0-9._+-' '-')
    ;;
  esac
  while :; do
    case $target in
    [.-]*) target=${target#?} ;;
    *) break ;;
    esac
  done
  [ "${#target}" -le 64 ] || target=$(printf '%.64s' "$target")
}

# hpcenv_has FLAG...: tell whether the processor has all of them.
hpcenv_has() {
  for each; do
    case $flags in *" $each "*) ;; *) return 1 ;; esac
  done
}

hpcenv_safe
if [ -z "$target" ]; then
  system=
  for each in "$root/etc/os-release" "$root/usr/lib/os-release"; do
    [ -r "$each" ] || continue
    system=linux version=
    while IFS= read -r line || [ -n "$line" ]; do
      value=${line#*=}
      value=${value#\"} value=${value%\"}
      value=${value#\'} value=${value%\'}
      case $line in
      ID=*) system=$value ;;
      VERSION_ID=*) version=$value ;;
      esac
    done <"$each"
    system=$system${version%%.*}
    break
  done
  [ -n "$system" ] || system=$(uname -s | tr '[:upper:]' '[:lower:]')
  level=${machine:-$(uname -m)}
  if [ "$level" = x86_64 ]; then
    flags=$(grep -m 1 '^flags' "$root/proc/cpuinfo" 2>/dev/null)
    flags=" ${flags#*:} "
    if hpcenv_has cx16 lahf_lm mmx popcnt sse sse2 sse4_1 sse4_2 ssse3; then
      level=x86_64_v2
      if hpcenv_has abm avx avx2 bmi1 bmi2 f16c fma movbe xsave; then
        level=x86_64_v3
        if hpcenv_has avx512bw avx512cd avx512dq avx512f avx512vl; then
          level=x86_64_v4
        fi
      fi
    fi
  fi
  target=$system-$level
  hpcenv_safe
fi
printf '%s\n' "$target"
