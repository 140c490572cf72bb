/** Fetches the secrets of a profile: first those in files, then, with their values, those that a command prints. */

import { resolve } from 'node:path'
import type { Clock } from '../../system/clock.ts'
import { MAX_SECRET_BYTES, readSecretFile, secretText } from '../../system/files/secret-file.ts'
import { oneLine } from '../../system/text/foreign-text.ts'
import { knownTexts, redactor, secretsOf } from '../../system/text/redact.ts'
import type { SecretSource, Secrets } from '../config/kinds/program-kinds.ts'
import { requireOwnDirectory } from '../walled.ts'
import { commandText, runSecretCommand } from './secret-command.ts'

export interface FetchFacts {
  readonly secrets: Secrets
  /** The profile's directory: paths are relative to it, and commands run in it. */
  readonly dir: string
  /** Environment of the commands. */
  readonly env: Readonly<Record<string, string | undefined>>
  readonly clock: Clock
  /** Commands that are run; absent: all of them. Files are always read. */
  readonly only?: readonly string[]
}

export interface Fetched {
  readonly values: Readonly<Record<string, string>>
  readonly problems: readonly SecretProblem[]
}

/** Contains no value of a secret. */
export interface SecretProblem {
  readonly name: string
  /** Completes "secret NAME: …". */
  readonly problem: string
  readonly next: string
}

type Source<K extends string> = Extract<SecretSource, { readonly [_ in K]: unknown }>
type One = { readonly value: string } | Omit<SecretProblem, 'name'>

/** Longest line of a command's standard error in a message, in characters. */
const MAX_LINE = 200

/** Where its value comes from, for people: `file /run/secrets/token`, `command op read op://vault/item`. */
export const sourceText = (source: SecretSource): string =>
  'file' in source ? `file ${source.file}` : `command ${commandText(source.command)}`

/** A secret that cannot be fetched is a problem. @throws HermesError REFUSED for a walled profile of another user */
export async function fetchSecrets({ secrets, dir, env, clock, only }: FetchFacts): Promise<Fetched> {
  const values: Record<string, string> = Object.create(null) as Record<string, string>
  const problems: SecretProblem[] = []
  const add = (name: string, one: One): void => {
    if ('value' in one) values[name] = one.value
    else problems.push({ name, ...one })
  }
  const all = Object.entries(secrets)
  if (all.length > 0) requireOwnDirectory(dir)
  for (const [name, source] of all) if ('file' in source) add(name, fromFile(source, dir))
  // With the token in a file, a command can log in to where the other secrets are.
  const commandEnv = { ...env, ...values }
  const commands = all.flatMap(([name, source]) =>
    'command' in source && only?.includes(name) !== false ? [{ name, source }] : [],
  )
  const results = await Promise.all(commands.map(({ source }) => fromCommand(source, { dir, env: commandEnv, clock })))
  for (const [i, { name }] of commands.entries()) add(name, results[i] as One)
  return { values: { ...values }, problems }
}

function fromFile({ file }: Source<'file'>, dir: string): One {
  const path = resolve(dir, file)
  const read = readSecretFile(path)
  if (read.problem === undefined) return { value: read.text }
  return { problem: `${path} ${read.problem}`, next: read.missing ? 'put the secret there' : read.next }
}

async function fromCommand(
  { command, timeoutMs }: Source<'command'>,
  { dir, env, clock }: Pick<FetchFacts, 'dir' | 'env' | 'clock'>,
): Promise<One> {
  const result = await runSecretCommand({ command, timeoutMs, dir, env, clock })
  if (result.problem === undefined) {
    const text = secretText(result.output)
    if (typeof text === 'string') return { value: text }
    const what = text.is === 'empty' ? 'printed nothing' : 'printed something that is not text in UTF-8'
    return { problem: `${commandText(command)} ${what}`, next: next(dir) }
  }
  const [line = ''] = result.stderr.split('\n').filter((one) => one.trim() !== '')
  // Its output so far may be the secret, or a part of it, and may stand in its complaint, too.
  const redact = redactor([...secretsOf(env), ...knownTexts(result.output.toString('utf8').trim())])
  const said = oneLine(redact(line.slice(0, MAX_SECRET_BYTES)).trim())
  const shown = said.length > MAX_LINE ? `${said.slice(0, MAX_LINE)}…` : said
  return { problem: redact(result.problem) + (shown === '' ? '' : `: ${shown}`), next: next(dir) }
}

const next = (dir: string): string => `run it in ${dir} to see why`
