/** Where the addresses and secrets of targets are read. */
import { resolve } from 'node:path'
import { type AddressSource, isNotifyUrl } from '../../profile/config/notify-kinds.ts'
import { readSecretFile } from '../../system/files/secret-file.ts'
import type { Environment } from '../../system/programs/install.ts'

export type Found = { readonly text: string; readonly problem?: undefined } | { readonly problem: string }

/**
 * Reads an address now, so that a new one counts from the next attempt. Never throws.
 * @param home relative paths of files begin there
 */
export function addressOf(source: AddressSource, home: string, env: Environment): Found {
  if ('value' in source) return { text: source.value }
  if ('env' in source) return checked(variableOf(source.env, env), `the variable ${source.env}`)
  const file = resolve(home, source.file)
  const read = readSecretFile(file)
  return read.problem === undefined ? checked({ text: read.text.trim() }, file) : { problem: `${file} ${read.problem}` }
}

export function variableOf(name: string, env: Environment): Found {
  const text = env[name]
  return text ? { text } : { problem: `the variable ${name} is not set` }
}

const checked = (found: Found, where: string): Found =>
  found.problem === undefined && !isNotifyUrl(found.text)
    ? { problem: `${where} has no URL that begins with http:// or https://` }
    : found

/** As much of an address as may be shown: the path of most is a secret. */
export function shownAddress(url: string): string {
  const { protocol, host } = new URL(url)
  return `${protocol}//${host}/…`
}
