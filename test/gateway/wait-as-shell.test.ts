import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const SRC = join(import.meta.dirname, '../../src')

/** Becomes a shell, while TERM arrives at one moment. @returns code and signal, as of the process's end */
async function endWithTermAt(moment: string): Promise<readonly unknown[]> {
  const program = `
    import { stopRequested } from '${SRC}/gateway/signals.ts'
    import { waitAsShell } from '${SRC}/gateway/wait-as-shell.ts'
    import { systemClock } from '${SRC}/system/clock.ts'
    let isSent = false
    const term = () => {
      isSent = true
      process.kill(process.pid, 'SIGTERM')
    }
    process.execve = () => process.exit(isSent ? 9 : 7) // in place of the shell
    const stopped = stopRequested(systemClock())
    ${moment}
    await waitAsShell(stopped)
    process.exit((await stopped.first) === 'SIGTERM' ? 0 : 1)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  return await once(child, 'exit')
}

const LISTENERS_GO = `const off = process.off
  process.off = (...args) => {
    term()
    return off.apply(process, args)
  }`
const asked = [0, null]
const killed = [null, 'SIGTERM']
const shell = [7, null]

test.each([
  ['before it begins', 'term()', [asked]],
  ['a moment later, if it is not a shell by then', 'setImmediate(term)', [asked, killed, shell]],
  ['as listeners are removed, if they are', LISTENERS_GO, [killed, shell]],
  ['just before the shell', 'process.execve = () => { term(); process.exit(9) }', [killed]],
  ['never', '', [shell]],
])('a TERM that arrives %s is not lost', async (_, moment, ends) => {
  expect(ends).toContainEqual(await endWithTermAt(moment))
})
