#!/bin/sh
# Puts the agent before whatever the image starts: ENTRYPOINT ["/berth/entrypoint", "/the/image's/own/entrypoint"].
# Node's settings are meant for the app: the agent does without, and hands them on.
set -eu
if [ -n "${NODE_OPTIONS-}" ]; then
  export BERTH_APP_NODE_OPTIONS="$NODE_OPTIONS"
  unset NODE_OPTIONS
fi
node=/berth/node
[ -x "$node" ] || node=node
# Node cannot reap orphans. An init that Docker brings (`docker run --init`) is enough.
init='/berth/tini --'
if [ $$ -ne 1 ] || [ ! -x /berth/tini ]; then init=; fi
# Without machine code the agent takes 2 MB less, and it has little to do.
exec $init "$node" --jitless /berth/agent.cjs -- "$@"
