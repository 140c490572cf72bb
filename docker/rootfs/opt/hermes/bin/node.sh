# Sourced by the wrappers, which set $here to this directory: own PROGRAM ARGUMENT… becomes that program on our Node.
# Variables that make Node, OpenSSL or the dynamic linker load foreign code are removed from the environment first, because the caller
# may be root. A variable X is passed on as HERMES_SAVED_X: init puts it into the stored container environment, hermes puts it back into
# its own environment once it is no longer root. One fork, for the list of names; short commands and the boot count milliseconds.
# shellcheck shell=sh disable=SC2154 # the wrapper sets $here, own-node.sh the rest
# shellcheck source=/dev/null # made at build from src/system/programs/own-node.ts: options_of, $code_loaders
. "$here/own-node.sh"

put_aside() {
  eval "[ -n \"\${$1+set}\" ]" || return 0
  eval "export HERMES_SAVED_$1=\"\$$1\""
  unset "$1"
}

# Takes the Node in PATH where /usr/local/bin has none that is new enough.
require_node() {
  for node in "$node" node; do
    version=$("$node" --version 2>/dev/null) || version=
    major=${version#v}
    [ "${major%%.*}" -lt "$oldest_node" ] 2>/dev/null || [ -z "$version" ] || return 0
  done
  echo "hermes: needs Node $oldest_node or newer, and there is ${version:-none}" >&2
  echo "  next: $node_comes_along" >&2
  exit 1
}

own() {
  names=$(export -p)
  while :; do
    case $names in
    *' NODE_'*) names=${names#*' NODE_'} ;;
    *) break ;;
    esac
    # A value can hold " NODE_x", too: a variable that is not there is not put aside.
    put_aside "NODE_${names%%[!A-Za-z0-9_]*}"
  done
  for name in $code_loaders; do put_aside "$name"; done
  # npm puts the Node of a package inside it, or beside it (npx): both places have the writers of the package.
  beside=$here
  case $here in */node_modules/*/dist/bin) beside=${here%/*/dist/bin} ;; esac
  # lib/node: a Node of our own beside another one of the image's (docs/add-to-an-image.md).
  node=node
  for candidate in /usr/local/bin/node "$beside"/node-linux-*/bin/node "$here"/../../node_modules/node-linux-*/bin/node \
    "$here/../lib/node"; do
    [ ! -x "$candidate" ] || node=$candidate
  done
  # A Node of the machine may be too old, and would then complain of an option. In the image it is the image's.
  case $node in
  /usr/local/bin/node | node) [ "$here" = /opt/hermes/bin ] || require_node ;;
  esac
  program=$1
  shift
  options_of "$program"
  # shellcheck disable=SC2086 # several words
  exec "$node" $options "$here/../lib/$program.cjs" "$@"
}
