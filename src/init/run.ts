import { systemClock } from '../system/clock.ts'
import { EXIT, HermesError } from '../system/errors.ts'
import { isShown } from '../system/level.ts'
import { loadNative } from '../system/native-libc.ts'
import { gatherFacts, type InitOptions } from './facts.ts'
import { Init } from './init.ts'
import { OwnConsole, openSink } from './own-console.ts'

const OLDEST_NODE = 24

/** Starts init; resolves when the boot is behind it. Ends the process by itself. */
export async function runInit(options: InitOptions): Promise<void> {
  const { native, problem } = await loadNative()
  const clock = systemClock()
  const stderr = openSink(2)
  const { LOG_FORMAT, S6_VERBOSITY } = options.env
  const own = new OwnConsole({
    sink: stderr,
    native,
    clock,
    json: LOG_FORMAT === 'json',
    isShown: isShown(S6_VERBOSITY),
  })
  const fail = (error: unknown): never => {
    if (error instanceof HermesError)
      own.line('error', error.next === undefined ? error.message : `${error.message}. ${error.next}`)
    else own.line('error', `init cannot start: ${error instanceof Error ? error.stack : String(error)}`)
    own.flush()
    return native.exitNow(error instanceof HermesError ? error.exitCode : EXIT.failed)
  }
  try {
    const { node } = process.versions
    if (Number.parseInt(node, 10) < OLDEST_NODE) {
      throw new HermesError('FAILED', `hermes needs Node ${OLDEST_NODE} or newer, this is ${node}`, {
        next: 'npm ci brings one along; start through the wrapper bin/init',
      })
    }
    if (problem !== undefined) own.line('error', problem)
    const facts = gatherFacts(options)
    const init = new Init({ options, facts, native, clock, own, stdout: openSink(1), stderr })
    await init.boot()
  } catch (error) {
    fail(error)
  }
}
