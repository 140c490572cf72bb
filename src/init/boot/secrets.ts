import type { RuntimeIdentity } from '../../protocol/start-up.ts'
import { describeEnding } from '../../slot/ending.ts'
import { type Clock, inTime } from '../../system/clock.ts'
import { DATABASE_SECRET, isClosedSecret, NODE_SECRET, splitSecrets } from '../../system/dashboard-secrets.ts'
import { addressProblem } from '../../system/database-address.ts'
import { secretProblem } from '../../system/files/secret-file.ts'
import { tokenProblem } from '../../system/programs/node-access.ts'
import { ownNode } from '../../system/programs/own-node.ts'
import { fileVariable } from '../../system/secret-variables.ts'
import { storeSecret, type Variables } from '../facts/environment.ts'
import { ROOT_ENV } from '../facts/root-environment.ts'
import type { Processes } from '../processes/processes.ts'
import type { ReadSecrets, SecretReaderFacts } from './secret-reader.ts'

/** A network mount may hang, and then the boot says so instead of waiting. */
const READ_MS = 10_000
/** Beyond the largest files of all secrets, written as JSON. */
const MAX_CHARS = 4_000_000

export interface SecretsOptions {
  readonly install: string
  readonly environment: Variables
  /** Name of a secret → path of its file. */
  readonly files: Variables
  readonly environmentDir: string
  /** The runtime user, where root is dropped. */
  readonly owner: RuntimeIdentity | undefined
  readonly clock: Clock
  readonly processes: Pick<Processes, 'output'>
}

/**
 * The secrets of the container. A short-lived child reads those in files, with root's rights where that is safe, so
 * that a mount that hangs blocks only the child, and PID 1 opens nothing that a variable names.
 */
export class Secrets {
  readonly #options: SecretsOptions
  #handedOver: Variables

  constructor(options: SecretsOptions) {
    this.#options = options
    this.#handedOver = splitSecrets(options.environment).secrets
  }

  /** Those that are in no environment; complete after {@link read}. */
  get handedOver(): Variables {
    return this.#handedOver
  }

  /** There are files to read. */
  get areInFiles(): boolean {
    return Object.keys(this.#options.files).length > 0
  }

  /**
   * Reads the files. Secrets that are handed over stay in memory, the others go to the container environment.
   * @returns one line for each file that is of no use
   */
  async read(): Promise<readonly string[]> {
    const { clock, environmentDir, files, owner } = this.#options
    const reading = this.#readInChild()
    if (!(await inTime(clock, READ_MS, reading)))
      return [this.#named(`not read within ${READ_MS / 1000} s; does a mount hang?`)]
    const read = await reading
    if (typeof read === 'string') return [read]
    const own = Object.entries(read.values).filter(([name]) => isClosedSecret(name))
    this.#handedOver = { ...this.#handedOver, ...Object.fromEntries(own) }
    for (const [name, value] of Object.entries(read.values))
      if (!isClosedSecret(name)) storeSecret(environmentDir, name, value, owner)
    return [...read.problems, ...formProblems(read.values, files)]
  }

  async #readInChild(): Promise<ReadSecrets | string> {
    const { install, files, owner, processes } = this.#options
    const facts: SecretReaderFacts = { files, ...(owner !== undefined && { identity: owner }) }
    const { text, ending } = await processes.output([...ownNode('secrets', install), JSON.stringify(facts)], {
      env: ROOT_ENV,
      stderr: 2,
      maxChars: MAX_CHARS,
    })
    if ('exitCode' in ending && ending.exitCode === 0) return JSON.parse(text) as ReadSecrets
    return this.#named(`cannot be read: their reader ${describeEnding(ending)}`)
  }

  #named(what: string): string {
    return `${Object.keys(this.#options.files).map(fileVariable).join(', ')}: ${what}`
  }
}

/** Secrets whose form is known. */
const FORMS = [
  [DATABASE_SECRET, addressProblem],
  [NODE_SECRET, tokenProblem],
] as const

/** One line for each secret that has another form. */
const formProblems = (values: Variables, files: Variables): readonly string[] =>
  FORMS.flatMap(([name, problemOf]) => {
    const { [name]: value } = values
    const problem = value === undefined ? undefined : problemOf(value)
    return problem === undefined ? [] : [secretProblem(name, files[name] ?? '', problem)]
  })
