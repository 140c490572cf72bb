import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { constants, mkdtempSync, openSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { widen } from '../../src/init/processes/own-console.ts'
import { ConsoleWriter } from '../../src/log/io/console.ts'
import { sharedLogResources } from '../../src/log/io/shared-resources.ts'
import { SlotLog } from '../../src/log/io/slot-log.ts'
import { systemClock } from '../../src/system/clock.ts'
import { loadNative } from '../../src/system/native/native-libc.ts'

export interface LogPathResult {
  /** Bytes of the service's output taken per second, written to file and console. */
  readonly bytesPerS: number
  /** CPU seconds of this process per 10^9 bytes of the service's output. */
  readonly cpuSPerGb: number
  /** Lines left out of the console's copy, because its reader (`cat`) was slower. */
  readonly leftOut: number
}

/**
 * The whole log path in this process: one writer (`yes`) at full speed into a slot's FIFO, stamped and rotated files on
 * disk, the copy to a pipe that `cat` reads.
 * @param bytes how much to take before stopping
 * @param lineBytes length of a line, newline included
 */
export async function logPath({ bytes = 1e9, lineBytes = 100, tee = true } = {}): Promise<LogPathResult> {
  const dir = mkdtempSync(join(tmpdir(), 'hermes-log-path-'))
  const fifo = join(dir, 'fifo')
  const out = join(dir, 'out')
  execFileSync('mkfifo', [fifo, out])
  const clock = systemClock()
  const warn = (text: string): void => {
    throw new Error(text)
  }
  const sinkFd = openSync(out, constants.O_RDWR | constants.O_NONBLOCK)
  const { native } = await loadNative()
  widen({ fd: sinkFd, kind: 'stream' }, native) // as init does
  const reader = spawn('sh', ['-c', `exec cat <"${out}" >/dev/null`])
  let leftOut = 0
  const console = new ConsoleWriter({ fd: sinkFd, kind: 'stream' }, native, clock, (lines) => {
    leftOut += lines
    return `left out: ${lines}\n`
  })
  const full = Promise.withResolvers<void>()
  let taken = 0
  const log = SlotLog.open({
    slot: 'bench',
    fifo,
    place: { dir: join(dir, 'log'), maxBytes: 1_000_000, archives: 10 },
    clock,
    console: tee ? console : null,
    form: 'raw',
    continued: false,
    warn,
    shared: sharedLogResources(clock, warn),
    tap: (lines) => {
      taken += lines.length
      if (taken >= bytes) full.resolve()
    },
  })
  const cpu = process.cpuUsage()
  const startedAtMs = clock.nowMs()
  const writer = spawn('sh', ['-c', `exec yes "${'x'.repeat(lineBytes - 1)}" >"${fifo}"`])
  try {
    await full.promise
    const seconds = (clock.nowMs() - startedAtMs) / 1000
    const { user, system } = process.cpuUsage(cpu)
    return { bytesPerS: taken / seconds, cpuSPerGb: (user + system) / 1e6 / (taken / 1e9), leftOut }
  } finally {
    await Promise.all([writer, reader].map(ended))
    await log.close()
    console.end()
    rmSync(dir, { recursive: true, force: true })
  }
}

async function ended(child: ChildProcess): Promise<void> {
  const exit = once(child, 'exit')
  child.kill('SIGKILL')
  await exit
}
