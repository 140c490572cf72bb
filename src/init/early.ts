import { closeSync } from 'node:fs'
import { PROTOCOL_FD } from '../protocol/start-up.ts'
import type { LoadedNative } from '../system/native/native-libc.ts'
import { openSink, widen } from './processes/own-console.ts'
import { type SpawnedLinked, spawnLinked } from './processes/spawn-linked.ts'
import { type Inherited, supervisorProgram } from './programs/supervisor-program.ts'

/** The state of init before anything else is loaded. */
export interface Early extends LoadedNative {
  readonly inherited: Inherited
  /** Its Node loads already. Absent: init starts it later, and reports why it cannot. */
  readonly supervisor?: SpawnedLinked
}

/**
 * Starts the supervisor before init itself is loaded: two Nodes load beside each other in nearly the time of one. It
 * then waits for init's orders, and ends when init ends instead.
 * @param install the directory that holds `lib`
 */
export function begin(loaded: LoadedNative, install: string): Early {
  const { native } = loaded
  // Before root is dropped: afterwards they could not be opened.
  const [stdout, stderr] = [openSink(1), openSink(2)]
  widen(stdout, native)
  let control: number | undefined
  try {
    control = native.unixSocket()
    const inherited = { stdout, stderr, ...(control !== undefined && { control }) }
    const supervisor = spawnLinked(native, supervisorProgram(install, inherited), PROTOCOL_FD)
    return { ...loaded, inherited, ...(supervisor !== undefined && { supervisor }) }
  } catch {
    if (control !== undefined) closeSync(control)
    return { ...loaded, inherited: { stdout, stderr } }
  }
}
