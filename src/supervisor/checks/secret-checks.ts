import { type ChildProcess, spawn } from 'node:child_process'
import type { Secrets } from '../../profile/config/kinds/program-kinds.ts'
import type { CheckedSecrets } from '../../profile/environment/slot-secrets.ts'
import { type Clock, inTime } from '../../system/clock.ts'
import { unlessCode } from '../../system/error-code.ts'
import { childEnding, type Kernel } from '../../system/native/child-ending.ts'
import { isRecord } from '../../system/text/record.ts'
import type { CheckProgram } from '../launch/slot-scripts.ts'

/** Checks that run at the same time: a hundred profiles with one interval must not start a hundred programs at once. */
const MOST_AT_ONCE = 4
/** The program keeps to the time limits of its commands; this is for itself. */
const OWN_TIME_MS = 60_000
const MAX_OUTPUT = 256 * 1024

export interface CheckResult extends CheckedSecrets {
  /** Those that were looked at. */
  readonly names: readonly string[]
}

interface Check {
  readonly secrets: Secrets
  readonly names: readonly string[]
  /** Ends it: its result is not needed any more. */
  readonly signal: AbortSignal
}

/** Runs the programs that look whether secrets have changed, a few at a time. */
export class SecretChecks {
  readonly #options: { readonly clock: Clock; readonly kernel?: Kernel }
  readonly #waiting: (() => void)[] = []
  #running = 0

  constructor(options: { readonly clock: Clock; readonly kernel?: Kernel }) {
    this.#options = options
  }

  /** Never rejects: a check that cannot be made has failed for all names. @param program made when its turn comes */
  async run(program: () => CheckProgram, check: Check): Promise<CheckResult> {
    if (this.#running >= MOST_AT_ONCE) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    this.#running += 1
    const { names } = check
    try {
      return { names, ...(await this.#run(program, check)) }
    } catch (error) {
      return { names, changed: [], failed: names.map((name) => ({ name, problem: (error as Error).message })) }
    } finally {
      this.#running -= 1
      this.#waiting.shift()?.()
    }
  }

  async #run(program: () => CheckProgram, { secrets, names, signal }: Check): Promise<CheckedSecrets> {
    signal.throwIfAborted()
    const { command, cwd, env } = program()
    const [file = '', ...args] = command
    // A group of its own, so that all of it can be killed.
    const child = spawn(file, args, { cwd, env, stdio: ['ignore', 'pipe', 'ignore'], detached: true })
    const kill = (): void => killGroup(child)
    signal.addEventListener('abort', kill, { once: true })
    try {
      const result = resultOf(child, this.#options.kernel)
      const limitMs = OWN_TIME_MS + Math.max(0, ...names.map((name) => timeoutOf(secrets, name)))
      if (await inTime(this.#options.clock, limitMs, result)) return await result
      throw new Error(`the program that fetches it has not ended within ${limitMs} ms and was killed`)
    } finally {
      signal.removeEventListener('abort', kill)
      kill()
    }
  }
}

const timeoutOf = (secrets: Secrets, name: string): number => {
  const source = secrets[name]
  return source !== undefined && 'command' in source ? source.timeoutMs : 0
}

function resultOf(child: ChildProcess, kernel: Kernel): Promise<CheckedSecrets> {
  let text = ''
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
    if (text.length < MAX_OUTPUT) text += chunk
  })
  const { promise, resolve, reject } = Promise.withResolvers<CheckedSecrets>()
  child.once('error', reject)
  const ended = childEnding(child, kernel)
  // Not only its end: its last piece of output may still be on its way.
  child.once('close', () => {
    void ended.then((ending) => {
      if (!('exitCode' in ending) || ending.exitCode !== 0) reject(new Error('the program that fetches it has failed'))
      else resolve(parse(text))
    }, reject)
  })
  promise.catch(() => undefined) // it may fail after its time
  return promise
}

/** A program of the runtime user has printed it. @throws Error */
function parse(text: string): CheckedSecrets {
  const found: unknown = JSON.parse(text)
  const isText = (one: unknown): boolean => typeof one === 'string'
  const isFailure = (one: unknown): boolean => isRecord(one) && isText(one.name) && isText(one.problem)
  const sound = isRecord(found) && Array.isArray(found.changed) && Array.isArray(found.failed)
  if (!sound || !(found.changed as unknown[]).every(isText) || !(found.failed as unknown[]).every(isFailure))
    throw new Error('the program that fetches it printed something else')
  return found as unknown as CheckedSecrets
}

function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return // it was never started
  // ESRCH: nothing is left of it. EPERM: it has changed its user (sudo), so we may not end it.
  unlessCode(['ESRCH', 'EPERM'], () => process.kill(-pid, 'SIGKILL'))
}
