/**
 * `logs/api-address.json` of a profile: where its gateway serves the API. The gateway writes it, and the front port
 * reads it. It is only believed while the process that it names is there, so a port that another program has taken over
 * never gets a request with this profile's key.
 */
import { rmSync } from 'node:fs'
import { isIP } from 'node:net'
import { replaceFileSync } from '../../system/files/replace-file.ts'
import { readSmallRecord } from '../../system/files/small-file.ts'
import type { Address } from '../../system/net/address.ts'
import { below } from '../../system/paths.ts'
import { isZombie, readProcess } from '../../system/programs/proc.ts'

export interface ApiAddress extends Address {
  /** It asks for a key; without one, only programs of this machine may use it. */
  readonly keyed: boolean
}

const MAX_BYTES = 4096
const fileOf = (dir: string): string => below(dir, 'logs', 'api-address.json')

/** @param dir the profile's @param address it listens on @throws the error of the file system */
export function writeApiAddress(dir: string, { host, port, keyed }: ApiAddress): void {
  const { pid } = process
  const record = { pid, started: readProcess(pid)?.startTime, host: reachable(host), port, keyed }
  replaceFileSync(fileOf(dir), `${JSON.stringify(record)}\n`, { mode: 0o644 })
}

/** @throws the error of the file system */
export const removeApiAddress = (dir: string): void => rmSync(fileOf(dir), { force: true })

/** @returns undefined: no living gateway serves an API. Never throws. */
export function readApiAddress(dir: string): ApiAddress | undefined {
  const value = readSmallRecord(fileOf(dir), MAX_BYTES)
  if (value === undefined) return undefined
  const { pid, started, host, port, keyed } = value
  if (typeof host !== 'string' || isIP(host) === 0 || !Number.isInteger(port) || !Number.isInteger(pid))
    return undefined
  if (Number(port) < 1 || Number(port) > 65_535 || Number(pid) < 1) return undefined
  const holder = readProcess(Number(pid))
  if (holder === undefined || isZombie(holder) || holder.startTime !== started) return undefined
  return { host, port: Number(port), keyed: keyed === true }
}

/** A server on all addresses is reached on this machine's own. */
const reachable = (host: string): string => ({ '0.0.0.0': '127.0.0.1', '::': '::1' })[host] ?? host
