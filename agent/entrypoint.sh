#!/bin/sh
# Puts the agent before whatever the image starts: ENTRYPOINT ["/berth/entrypoint", "/the/image's/own/entrypoint"].
# Node's settings are meant for the app, and so is what is to be loaded into each program, which may be for another libc
# than that of /berth/node: the agent does without, and hands them on.
set -eu
if [ -n "${NODE_OPTIONS-}" ]; then export BERTH_APP_NODE_OPTIONS="$NODE_OPTIONS"; fi
if [ -n "${LD_PRELOAD-}" ]; then export BERTH_APP_LD_PRELOAD="$LD_PRELOAD"; fi
unset NODE_OPTIONS LD_PRELOAD
node=/berth/node
[ -x "$node" ] || node=node
# Node cannot reap orphans. An init that Docker brings (`docker run --init`) is enough.
init='/berth/tini --'
if [ $$ -ne 1 ] || [ ! -x /berth/tini ]; then init=; fi
# The agent has little to do: without machine code, V8's threads and room for much garbage it takes up to 1 MB less.
exec $init "$node" --jitless --single-threaded --max-semi-space-size=1 /berth/agent.cjs -- "$@"
