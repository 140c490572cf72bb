# Sourced by the wrappers: takes what would change Node out of the environment, and finds Node ($node).
# With saving=1 (init's wrapper) a variable X travels on as HERMES_SAVED_X, which init puts into the stored container environment.
# One fork at most, for the list of names; short commands and the boot count milliseconds.
# shellcheck shell=sh disable=SC2034,SC2154
remove() {
  eval "[ -n \"\${$1+set}\" ]" || return 0
  [ -z "${saving-}" ] || eval "export HERMES_SAVED_$1=\"\$$1\""
  unset "$1"
}
names=$(export -p)
while :; do
  case $names in
  *' NODE_'*) names=${names#*' NODE_'} ;;
  *) break ;;
  esac
  # A value can hold " NODE_x", too: a variable that is not there is not removed.
  remove "NODE_${names%%[!A-Za-z0-9_]*}"
done
if [ -n "${saving-}" ]; then
  # The dynamic linker's and OpenSSL's ways to load somebody's code into us.
  for name in LD_PRELOAD LD_LIBRARY_PATH LD_AUDIT OPENSSL_CONF OPENSSL_MODULES; do remove "$name"; done
fi
# lib/node: a Node of our own beside another one of the image's (docs/add-to-an-image.md).
node=node
for candidate in /usr/local/bin/node "$here"/../../node_modules/node-linux-*/bin/node "$here/../lib/node"; do
  [ -x "$candidate" ] && node=$candidate
done
