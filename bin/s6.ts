// The s6-compatible commands of /command, one program for all: node s6.cjs s6-svstat ARGUMENT…

import { writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { initHasBegun } from '../src/cli/context/booting.ts'
import { becomeUser, findIdentity, identitySources } from '../src/cli/terminal/drop.ts'
import { s6Command } from '../src/s6/program.ts'
import { systemClock } from '../src/system/clock.ts'
import { canDropByNode, dropByNode } from '../src/system/native/drop-by-node.ts'
import { loadNative } from '../src/system/native/native-libc.ts'

async function main([name = '', ...argv]: readonly string[]): Promise<number> {
  const context = {
    clock: systemClock(),
    native: async () => (await loadNative()).native,
    out: (text: string) => void writeSync(1, text),
    err: (text: string) => void writeSync(2, text),
  }
  const install = dirname(__dirname)
  await initHasBegun({ env: process.env, install })
  if (process.getuid?.() === 0) {
    // Slot directories belong to the runtime user, who could lead root anywhere with them.
    try {
      const identity = findIdentity(identitySources(install))
      if (identity !== undefined && canDropByNode(process.env)) becomeUser(identity, { dropPrivileges: dropByNode })
      else if (identity !== undefined) {
        const { dropRoot } = require('#bundle/drop.cjs') as typeof import('./bundles/drop.ts')
        await dropRoot(identity)
      }
    } catch (error) {
      context.err(`${name}: ${(error as Error).message}; refusing to run as root\n`)
      return 126
    }
  }
  return s6Command(name, argv, context)
}

// Everything is written by now; the natural end would take Node's heap apart first.
main(process.argv.slice(2)).then((code) => process.exit(code))
