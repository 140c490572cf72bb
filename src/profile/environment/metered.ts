/**
 * How a metered profile's processes reach its endpoint: through the meter, with a token that is made for each start.
 * The meter knows a token by a record with its hash, in the slot's directory, which goes with the slot.
 */
import { createHash, randomBytes } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { replaceFileSync } from '../../system/files/replace-file.ts'
import { readSmallFile } from '../../system/files/small-file.ts'
import { below } from '../../system/paths.ts'
import { sameText } from '../../system/text/same-text.ts'
import type { AgentConfig } from '../config/config.ts'

/** The helper slot of the meter. */
export const METER = 'meter'
export const DEFAULT_METER_PORT = 8643
const MAX_RECORD_BYTES = 4096

/** Facts about the holder of a token. */
export interface MeterHolder {
  readonly profile: string
  /** The task of the board and the board, for a worker. */
  readonly task?: string
  readonly board?: string
}

interface MeterRecord extends MeterHolder {
  /** SHA-256 of the token, in hex: a reader of the record cannot use it. */
  readonly sha256: string
}

/** How a process is to reach the meter; see {@link slotEnvironment}. */
export interface MeteredAccess {
  readonly profile: string
  /** Undefined: there is no meter that would know one, so the process gets no access at all. */
  readonly token: string | undefined
  /** The variable with the endpoint's key, which only the meter may have. */
  readonly apiKeyEnv: string
}

/** Undefined for a profile that is not metered. */
export const meteredAccess = (
  profile: string,
  { metered, openai }: AgentConfig,
  token: () => string | undefined,
): MeteredAccess | undefined =>
  metered ? { profile, token: token(), apiKeyEnv: openai?.apiKeyEnv ?? 'OPENAI_API_KEY' } : undefined

/**
 * Makes a token and its record, in place of the one before.
 * @param slot the key of the slot that starts
 * @throws the error of the file system: the slot's directory is not there
 */
export function issueToken(scanDir: string, slot: string, holder: MeterHolder): string {
  const token = `${slot}.${randomBytes(32).toString('base64url')}`
  const record: MeterRecord = { ...holder, sha256: hashOf(token) }
  replaceFileSync(recordFile(scanDir, slot), `${JSON.stringify(record)}\n`, { mode: 0o600 })
  return token
}

/**
 * Makes a token for a process outside the slots, such as `hermes chat`. Records of processes that have ended are
 * replaced by a process with the same pid, so there is at most one for each pid.
 * @throws the error of the file system, ENOENT where there has been no meter
 */
export function issueOwnToken(scanDir: string, pid: number, holder: MeterHolder): string {
  readdirSync(below(scanDir, METER))
  return issueToken(scanDir, `${OWN_PREFIX}${pid}`, holder)
}

/** @returns undefined for a token that is not in use, or no longer */
export function holderOf(scanDir: string, token: string): MeterHolder | undefined {
  const [key = ''] = token.split('.', 1)
  if (!/^[a-z0-9][a-z0-9_-]{0,120}$/.test(key)) return undefined
  const { text } = readSmallFile(recordFile(scanDir, key), MAX_RECORD_BYTES)
  const record = text === undefined ? undefined : parsed(text)
  if (record === undefined || !sameText(hashOf(token), record.sha256)) return undefined
  const { sha256: _hash, ...holder } = record
  return holder
}

const OWN_PREFIX = 'pid-'
const recordFile = (scanDir: string, key: string): string =>
  key.startsWith(OWN_PREFIX) ? below(scanDir, METER, `token-${key}`) : below(scanDir, key, 'meter-token')

const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex')

function parsed(text: string): MeterRecord | undefined {
  try {
    const value = JSON.parse(text) as Partial<MeterRecord> | null
    const { profile, sha256, task, board } = value ?? {}
    if (typeof profile !== 'string' || typeof sha256 !== 'string') return undefined
    return {
      profile,
      sha256,
      ...(typeof task === 'string' && { task }),
      ...(typeof board === 'string' && { board }),
    }
  } catch {
    return undefined // half a record: written by something else
  }
}

type Variables = Readonly<Record<string, string>>

/** @param variables what the process would have without a meter */
export function meterVariables({ profile, token }: MeteredAccess, variables: Variables): Variables {
  if (token === undefined) return {}
  const isProxied = ['HTTP_PROXY', 'http_proxy'].some((name) => variables[name])
  const bypass = [variables.NO_PROXY || variables.no_proxy, METER_HOST].filter(Boolean).join(',')
  return {
    OPENAI_BASE_URL: `http://${METER_HOST}:${meterPort(variables)}/p/${profile}/v1`,
    OPENAI_API_KEY: token,
    ...(isProxied && { NO_PROXY: bypass, no_proxy: bypass }),
  }
}

export const METER_HOST = '127.0.0.1'

/** `HERMES_METER_PORT` of the container, which is one for all; a value that is not a port counts as unset. */
export function meterPort(variables: Readonly<Record<string, string | undefined>>): number {
  const port = Number(variables.HERMES_METER_PORT)
  return Number.isInteger(port) && port >= 1 && port <= 65_535 ? port : DEFAULT_METER_PORT
}
