#!/bin/sh
# Puts the agent before whatever the image starts: ENTRYPOINT ["/berth/entrypoint", "/the/image's/own/entrypoint"].
# Node's settings are meant for the app, and so is what is to be loaded into each program, which may be for another libc
# than that of /berth/node: the agent does without, and hands them on.
set -eu
if [ -n "${NODE_OPTIONS-}" ]; then export BERTH_APP_NODE_OPTIONS="$NODE_OPTIONS"; fi
if [ -n "${LD_PRELOAD-}" ]; then export BERTH_APP_LD_PRELOAD="$LD_PRELOAD"; fi
unset NODE_OPTIONS LD_PRELOAD BERTH_APP_ENVIRON
# A shell drops variables whose names it could not write (discovery.type, FOO-BAR). If there are any, what this shell was
# started with goes on to the agent in hex. Linux takes no string above 128 KB: then the names go, and the agent says so.
odd=$(
  exec 2>/dev/null
  set -f
  LC_ALL=C
  IFS='
'
  for entry in $(tr '\0\n' '\n ' <"/proc/$$/environ"); do
    name=${entry%%=*}
    case $name in [0-9]* | *[!A-Za-z0-9_]*) printf '%s ' "$name" ;; esac
  done
) || odd=
if [ -n "$odd" ]; then
  hex=$(exec 2>/dev/null && od -An -v -tx1 <"/proc/$$/environ" | tr -d ' \n') || hex=
  [ -n "$hex" ] && [ ${#hex} -le 131000 ] || hex="lost $(printf '%.1000s' "$odd")"
  export BERTH_APP_ENVIRON="$hex"
fi
node=/berth/node
[ -x "$node" ] || node=node
# Node cannot reap orphans. An init that Docker brings (`docker run --init`) is enough.
init='/berth/tini --'
if [ $$ -ne 1 ] || [ ! -x /berth/tini ]; then init=; fi
# (--disable-sigusr1 is no flag for it: that blocks USR1, which then reaches neither the agent nor the app.)
# The agent has little to do: without machine code, V8's threads and room for much garbage it takes up to 1 MB less.
exec $init "$node" --jitless --single-threaded --max-semi-space-size=1 /berth/agent.cjs -- "$@"
