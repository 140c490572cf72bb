import { chmodSync, chownSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { unlessCode } from '../../system/error-code.ts'
import type { Environment } from '../../system/programs/install.ts'
import { giveBackSaved } from '../../system/programs/own-node.ts'
import { decodeBytes, encodeBytes } from '../../system/text/byte-text.ts'

export type Variables = Readonly<Record<string, string>>

/** Variables a shell sets about itself: the wrapper's, not the container's. */
const OF_THE_SHELL = ['_', 'SHLVL', 'PWD', 'OLDPWD']

/** A child of the wrapper's: a fork has the environment as it came, where the shell has dropped what it cannot name. */
const COPY = 'HERMES_ENVIRON_OF'

/**
 * The environment that the wrapper was started with, byte for byte where it has kept a copy.
 * @param env what the wrapper has left of it
 */
export function givenEnvironment(env: Environment, proc = '/proc'): Environment {
  const { [COPY]: pid, ...left } = env
  if (pid === undefined || !/^[1-9]\d*$/.test(pid)) return left
  let text: string
  try {
    text = decodeBytes(readFileSync(`${proc}/${pid}/environ`))
  } catch {
    return left // no /proc, or not ours to read: what the shell has left is nearly all
  }
  const pairs = text.split('\0').flatMap((pair) => {
    const equals = pair.indexOf('=')
    return equals < 1 ? [] : [[pair.slice(0, equals), pair.slice(equals + 1)] as const]
  })
  const given = Object.fromEntries(pairs)
  return Object.keys(given).length === 0 ? left : { ...given, ...ofShell(given) }
}

/** Ends the fork. */
export function endCopy(pid: number): void {
  unlessCode(['ESRCH'], () => process.kill(pid, 'SIGKILL'))
}

/** Variables that the shell itself sets do not count as the container's. */
const ofShell = (given: Environment): Environment =>
  Object.fromEntries(
    OF_THE_SHELL.filter((name) => given[name] !== undefined).map((name) => [`HERMES_SAVED_${name}`, given[name]]),
  )

/**
 * Restores the container's environment from the wrapper's.
 * @param defaults values for variables that the container does not set
 */
export function containerEnvironment(env: Environment, defaults: Variables): Variables {
  const variables: Record<string, string> = { ...defaults }
  const given = { ...env }
  giveBackSaved(given)
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined || (OF_THE_SHELL.includes(name) && env[`HERMES_SAVED_${name}`] === undefined)) continue
    if (value !== '' || !(name in defaults)) variables[name] = value
  }
  return variables
}

/**
 * Writes one file per variable, with its value and a newline (s6-envdir's form). Names that are not valid file names
 * are omitted. `.PATH`, which readers of the store do not take for a variable, tells with-contenv whether PATH has
 * been changed since.
 */
export function storeEnvironment(dir: string, variables: Variables): void {
  for (const [name, value] of Object.entries(variables)) {
    if (!isStorable(name)) continue
    writeFileSync(join(dir, name), encodeBytes(`${value}\n`), { mode: 0o644 })
  }
  if (variables.PATH !== undefined) writeFileSync(join(dir, '.PATH'), `${variables.PATH}\n`, { mode: 0o644 })
}

/**
 * Adds a secret that was read from a file. Unlike a variable of `docker run -e`, only root and the runtime user may
 * read it.
 * @param owner the runtime user; absent: we are that user
 */
export function storeSecret(dir: string, name: string, value: string, owner?: { readonly gid: number }): void {
  const file = join(dir, name)
  writeFileSync(file, `${value}\n`, { mode: 0o600, flag: 'wx' })
  if (owner === undefined) return
  chownSync(file, 0, owner.gid)
  chmodSync(file, 0o640)
}

/** Reads the store: hooks may have added files. */
export function readEnvironment(dir: string): Variables {
  const variables: Record<string, string> = {}
  for (const entry of readdirSync(dir, { withFileTypes: true })) {
    if (!entry.isFile() || !isStorable(entry.name)) continue
    variables[entry.name] = decodeBytes(readFileSync(join(dir, entry.name)))
      .replace(/\n$/, '')
      .replaceAll('\0', '')
  }
  return variables
}

const isStorable = (name: string): boolean => /^[^./=\0][^/=\0]{0,254}$/.test(name)
