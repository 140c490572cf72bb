/** Where the addresses and secrets of targets are read. */
import { resolve } from 'node:path'
import { type NotifyTarget, notifyUrlProblem } from '../../profile/config/kinds/notify-kinds.ts'
import type { AddressSource } from '../../profile/config/kinds/target-fields.ts'
import { readSecretFile } from '../../system/files/secret-file.ts'
import type { Environment } from '../../system/programs/install.ts'

/** A target that has an address. */
type AddressedTarget = Extract<NotifyTarget, { readonly address: unknown }>

export type Found = { readonly text: string; readonly problem?: undefined } | { readonly problem: string }

/**
 * Reads an address now, so that a new one counts from the next attempt. Never throws.
 * @param home relative paths of files begin there
 */
export const addressOf = ({ address, to }: AddressedTarget, home: string, env: Environment): Found =>
  readAddress(address, { home, env, problemOf: (text) => notifyUrlProblem(text, to) })

/** @param problemOf judges a text that does not stand in config.yaml itself. Never throws */
export function readAddress(
  address: AddressSource,
  {
    home,
    env,
    problemOf,
  }: {
    readonly home: string
    readonly env: Environment
    readonly problemOf: (text: string) => string | undefined
  },
): Found {
  if ('value' in address) return { text: address.value }
  const checked = (found: Found, where: string): Found => {
    const problem = found.problem === undefined ? problemOf(found.text) : undefined
    return problem === undefined ? found : { problem: `${where} ${problem}` }
  }
  if ('env' in address) return checked(variableOf(address.env, env), `the variable ${address.env}`)
  const file = resolve(home, address.file)
  const read = readSecretFile(file)
  return read.problem === undefined ? checked({ text: read.text.trim() }, file) : { problem: `${file} ${read.problem}` }
}

export function variableOf(name: string, env: Environment): Found {
  const text = env[name]
  return text ? { text } : { problem: `the variable ${name} is not set` }
}

/** As much of an address as may be shown: the path of most is a secret. */
export function shownAddress(url: string): string {
  const { protocol, host } = new URL(url)
  return `${protocol}//${host}/…`
}
