import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Environment } from '../system/install.ts'
import { giveBackSaved } from '../system/own-node.ts'

export type Variables = Readonly<Record<string, string>>

/** Variables a shell sets about itself: the wrapper's, not the container's. */
const OF_THE_SHELL = ['_', 'SHLVL', 'PWD', 'OLDPWD']

/**
 * The environment the container was given, from what the wrapper left of it.
 * @param defaults what is set where the container says nothing
 */
export function containerEnvironment(env: Environment, defaults: Variables): Variables {
  const variables: Record<string, string> = { ...defaults }
  const given = { ...env }
  giveBackSaved(given)
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined || OF_THE_SHELL.includes(name)) continue
    if (value !== '' || !(name in defaults)) variables[name] = value
  }
  return variables
}

/**
 * One file per variable, its value and a newline (s6-envdir's form). Names that are no file names are left out. `.PATH`, which no reader
 * of the store takes for a variable, tells with-contenv whether somebody has changed PATH since.
 */
export function storeEnvironment(dir: string, variables: Variables): void {
  for (const [name, value] of Object.entries(variables)) {
    if (!isStorable(name)) continue
    writeFileSync(join(dir, name), `${value}\n`, { mode: 0o644 })
  }
  if (variables.PATH !== undefined) writeFileSync(join(dir, '.PATH'), `${variables.PATH}\n`, { mode: 0o644 })
}

/** The store as it is now: hooks may have dropped files into it. */
export function readEnvironment(dir: string): Variables {
  const variables: Record<string, string> = {}
  for (const entry of readdirSync(dir, { withFileTypes: true })) {
    if (!entry.isFile() || !isStorable(entry.name)) continue
    variables[entry.name] = readFileSync(join(dir, entry.name), 'utf8').replace(/\n$/, '').replaceAll('\0', '')
  }
  return variables
}

const isStorable = (name: string): boolean => /^[^./=\0][^/=\0]{0,254}$/.test(name)

/** A shell can export only these. */
const isShellName = (name: string): boolean => /^[A-Za-z_][A-Za-z0-9_]*$/.test(name)

/** sh text that exports what a shell can. */
export const exportsOf = (variables: Variables): string =>
  Object.entries(variables)
    .filter(([name]) => isShellName(name))
    .map(([name, value]) => `export ${name}=${shellQuote(value)}`)
    .join('\n')

export const shellQuote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`
