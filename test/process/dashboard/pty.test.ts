import { execFile } from 'node:child_process'
import { readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { openPty } from '../../../src/dashboard/terminal/pty.ts'
import { piecesOf } from '../../../src/dashboard/web/core/pieces.ts'
import { systemClock } from '../../../src/system/clock.ts'
import { scratchDir } from '../../support/scratch.ts'
import { waitFor, within } from '../../support/wait.ts'

const program = join(import.meta.dirname, '../../support/programs/ends-terminal.ts')

const shell = (script: string) =>
  openPty(
    { command: ['sh', '-c', script], cwd: '/', env: { PATH: process.env.PATH ?? '' }, cols: 80, rows: 24 },
    systemClock(),
  )

/** Terminals that this process holds. */
const held = (): number =>
  readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).endsWith('/ptmx')
    } catch {
      // The descriptor that the listing itself had.
      return false
    }
  }).length

test('a terminal that its program has closed may be resized and written to, without any effect', async () => {
  // When the terminal goes the kernel sends HUP, by which most programs end; this one lives on, and its end is not
  // reported.
  const pty = await shell('trap "" HUP; exec sleep 100000 </dev/null >/dev/null 2>&1')
  const ended = new Promise<void>((resolve) => pty.onExit(resolve))
  try {
    expect(held()).toBe(1)
    await waitFor('the terminal to be closed', () => held() === 0)
    pty.resize(100, 30)
    pty.write('hello')
  } finally {
    pty.end()
    await within('the program to end', ended)
  }
})

test('input that is typed while the program does not read waits without delaying anything, and arrives whole', async () => {
  const dir = scratchDir('hermes-pty-')
  const typed = 'a pasted line, no two are wanted\r'.repeat(10_000)
  const pty = await shell(`
    stty raw -echo; echo ready
    until [ -e ${dir}/go ]; do sleep 0.05; done
    head -c ${typed.length} >${dir}/taken; echo taken`)
  try {
    let shown = ''
    pty.onData((data) => {
      shown += data
    })
    await waitFor('the program', () => shown.includes('ready'))
    const written = new Promise<void>((resolve) => pty.onWritten(resolve))
    // Small pieces, as keys come: the first are taken, the others wait.
    for (const piece of piecesOf(typed, 100)) pty.write(piece)
    expect(pty.write('')).toBeGreaterThan(typed.length / 2)
    writeFileSync(join(dir, 'go'), '')
    await within('everything to be passed on', written)
    await waitFor('the program to have it', () => shown.includes('taken'))
    expect(readFileSync(join(dir, 'taken'), 'utf8') === typed).toBe(true)
  } finally {
    pty.end()
  }
})

test('after the end of the program, resizing, writing and ending do nothing', async () => {
  const pty = await shell('exit 0')
  await within('the program to end', new Promise<void>((resolve) => pty.onExit(resolve)))
  pty.resize(100, 30)
  pty.write('hello')
  pty.end()
})

// As in a container that was started without CAP_KILL; what `sudo` has become there may not be signalled by us.
test.skipIf(process.getuid?.() !== 0)(
  'ending a terminal ends the programs that we may signal, even if programs of other users are on it (needs root)',
  async () => {
    const { stdout } = await promisify(execFile)('setpriv', [
      '--bounding-set=-kill',
      '--inh-caps=-kill',
      process.execPath,
      program,
      '65534',
    ])
    const { theirs, theirsLives } = JSON.parse(stdout)
    process.kill(theirs, 'SIGKILL')
    expect(theirsLives).toBe(true)
  },
)
