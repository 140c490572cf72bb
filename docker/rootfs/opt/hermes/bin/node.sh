# Sourced by the wrappers: takes NODE_* out of the environment and finds Node ($node).
# shellcheck shell=sh disable=SC2034,SC2154
for name in $(env | sed -n 's/^\(NODE_[A-Za-z0-9_]*\)=.*/\1/p'); do unset "$name"; done
node=node
for candidate in /usr/local/bin/node "$here"/../../node_modules/node-linux-*/bin/node; do
  [ -x "$candidate" ] && node=$candidate
done
