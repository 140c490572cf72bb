/** The program that fetches a slot's secrets, at its start and again while it is up (bin/slot-secrets.ts). */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { NoSecret } from '../../slot/ending.ts'
import type { Clock } from '../../system/clock.ts'
import { EXIT } from '../../system/errors.ts'
import { exportLines } from '../../system/programs/sh-environment.ts'
import type { Secrets } from '../config/kinds/program-kinds.ts'
import { dotEnvVariables, readDotEnv } from './environment.ts'
import { fetchSecrets, type SecretProblem } from './fetch-secrets.ts'
import { changedSecrets, readRecord, writeRecord } from './secrets-record.ts'

/** Facts for the program, from the supervisor. Contains no value. */
export interface SlotSecretsFacts {
  readonly slot: string
  readonly secrets: Secrets
  /** The profile's directory. */
  readonly dir: string
  readonly configFile: string
  /** A SecretsRecord. */
  readonly recordFile: string
  /** Reports to the supervisor, as a NoSecret, that there was no secret. */
  readonly notRunFile: string
  /**
   * Its profile is walled: it reads its `.env` here, and nothing is recorded, because it may not write in the slot's
   * directory.
   */
  readonly walled?: {
    /** Names that `.env` cannot set. */
    readonly keep: readonly string[]
  }
}

export interface SlotSecretsProcess {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly clock: Clock
  readonly out: (text: string) => void
  readonly err: (text: string) => void
}

/** Result of a check, as one line of JSON. */
export interface CheckedSecrets {
  readonly changed: readonly string[]
  readonly failed: readonly { readonly name: string; readonly problem: string }[]
}

/**
 * Prints sh text that exports all secrets, and records that they are there; or prints a line for each that could not be
 * fetched.
 * @param pid the slot's process, which runs that text
 * @returns the exit code
 */
export async function printSecrets(facts: SlotSecretsFacts, pid: number, own: SlotSecretsProcess): Promise<number> {
  const { secrets, dir, recordFile, walled } = facts
  const { env, clock, out } = own
  const given = walled === undefined ? {} : ownDotEnv(facts, walled.keep, own)
  const { values, problems } = await fetchSecrets({ secrets, dir, env: { ...env, ...given }, clock })
  if (problems.length > 0) return refuse(facts, problems, own)
  if (walled !== undefined) {
    out(`${exportLines(Object.entries({ ...given, ...values })).join('\n')}\n`)
    return EXIT.done
  }
  const refreshed = Object.entries(values).filter(([name]) => secrets[name]?.refreshMs !== undefined)
  try {
    writeRecord(recordFile, pid, Object.fromEntries(refreshed))
  } catch (error) {
    own.err(`hermes: ${facts.slot}: cannot write ${recordFile}: ${(error as Error).message}\n`)
    return EXIT.cannotExecute
  }
  out(`${exportLines(Object.entries(values)).join('\n')}\n`)
  return EXIT.done
}

/** The variables that the file `.env` of a walled profile adds to its environment. */
function ownDotEnv(
  { slot, dir }: SlotSecretsFacts,
  keep: readonly string[],
  { err }: SlotSecretsProcess,
): Readonly<Record<string, string>> {
  const { variables, warnings } = readDotEnv(join(dir, '.env'))
  const named = dotEnvVariables(variables, keep)
  for (const warning of [...warnings, ...named.warnings]) err(`hermes: ${slot}: ${warning}\n`)
  return named.variables
}

function refuse(facts: SlotSecretsFacts, problems: readonly SecretProblem[], { err }: SlotSecretsProcess): number {
  const { slot, configFile, notRunFile } = facts
  for (const { name, problem, next } of problems)
    err(`hermes: ${slot}: secret ${name}: ${problem}; ${next}, or correct secrets.${name} in ${configFile}\n`)
  const [first] = problems
  const report = { code: 'NO_SECRET', problem: `${first?.name}: ${first?.problem}` } satisfies NoSecret
  try {
    writeFileSync(notRunFile, JSON.stringify(report), { mode: 0o600 })
  } catch {
    // The lines in the slot's log say it; only its status has the exit code alone.
  }
  return EXIT.cannotExecute
}

/**
 * Fetches some secrets again and prints which of them are not what the slot's process has.
 * @param pid the slot's process
 */
export async function printChanges(
  { secrets, dir, recordFile }: SlotSecretsFacts,
  pid: number,
  names: readonly string[],
  { env, clock, out }: SlotSecretsProcess,
): Promise<void> {
  const { values, problems } = await fetchSecrets({ secrets, dir, env, clock, only: names })
  const isAsked = ({ name }: { readonly name: string }): boolean => names.includes(name)
  const asked = Object.fromEntries(Object.entries(values).filter(([name]) => isAsked({ name })))
  const record = readRecord(recordFile)
  const failed =
    record?.pid === pid
      ? problems.filter(isAsked).map(({ name, problem }) => ({ name, problem }))
      : names.map((name) => ({ name, problem: `${recordFile}, with which it is compared, is missing` }))
  const changed = record?.pid === pid ? changedSecrets(record, asked) : []
  out(`${JSON.stringify({ changed, failed } satisfies CheckedSecrets)}\n`)
}
