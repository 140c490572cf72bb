// A logger as s6-log and logutil-service are: standard input to stamped, rotated files. node s6-log.cjs SCRIPT…
// If s6's own s6-log is installed, it is used instead (docker/rootfs/command/s6-log).
import { closeSync, writeSync } from 'node:fs'
import { exitCodes, S6Error } from '../src/s6/error.ts'
import { LOG_USAGE, parseLog } from '../src/s6/log-script.ts'
import { LogWriter } from '../src/s6/log-writer.ts'
import { type Clock, systemClock } from '../src/system/clock.ts'
import { loadNative } from '../src/system/native/native-libc.ts'

/** Time limit for a writer that does not end its line. */
const LAST_LINE_MS = 1000

const say = (text: string): void => void writeSync(2, `s6-log: ${text}\n`)

async function main(argv: readonly string[]): Promise<void> {
  const request = parseLog(argv)
  if (typeof request === 'string') throw new S6Error(exitCodes.usage, `${request}; usage: ${LOG_USAGE}`)
  const { native } = await loadNative()
  const clock = systemClock()
  const writer = new LogWriter(request.actions, { clock, native, warn: (text) => say(`warning: ${text}`) })
  if (request.notify !== undefined) {
    writeSync(request.notify, '\n')
    closeSync(request.notify)
  }
  await inputEnds(writer, clock, request.ignoresTerm)
  await writer.close()
  // Only alarms of files that are synced already are left.
  native.exitNow(exitCodes.done)
}

/**
 * Resolves at the end of the input; or, after a request to end, at the end of a line: later input waits in the pipe for
 * the next logger.
 */
function inputEnds(writer: LogWriter, clock: Clock, ignoresTerm: boolean): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const input = process.stdin
  let ending = false
  const end = (): void => {
    input.destroy()
    resolve()
  }
  const endSoon = (): void => {
    ending = true
    if (!writer.midLine) end()
    else clock.at(clock.nowMs() + LAST_LINE_MS, end)
  }
  input.on('data', (chunk: Buffer) => {
    writer.write(chunk)
    if (ending && !writer.midLine) end()
  })
  input.once('end', resolve)
  input.once('error', reject)
  // How s6's users force a rotation: `s6-svc -a`.
  process.on('SIGALRM', () => writer.rotate())
  process.on('SIGHUP', endSoon)
  process.on('SIGTERM', ignoresTerm ? () => undefined : endSoon)
  return promise
}

main(process.argv.slice(2)).catch((error: unknown) => {
  say(`fatal: ${error instanceof Error ? error.message : String(error)}`)
  process.exitCode = error instanceof S6Error ? error.exitCode : exitCodes.system
})
