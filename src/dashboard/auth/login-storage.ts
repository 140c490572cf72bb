import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { volumeTokenFile } from '../../access/place.ts'
import { MAX_TOKEN_BYTES } from '../../access/token-store.ts'
import { replaceFile } from '../../profile/replace-file.ts'
import { DASHBOARD_DIR, type HandedText, type Looked, MAX_KEY_FILE_BYTES } from '../../protocol/handover.ts'
import { type Clock, inTime } from '../../system/clock.ts'
import { readMountedFile, readSmallFile } from '../../system/files/small-file.ts'
import type { Handed } from '../settings/handover.ts'
import { misconfigured } from '../settings/settings.ts'
import type { StoredTokens } from './api-tokens.ts'
import { dashboardKey, KEY_BYTES } from './key-file.ts'

const MAX_ENDED_BYTES = 1_000_000
const LOOK_MS = 5000

/** A text that outlives a restart. */
export interface StoredText {
  /** Its place, for messages. */
  readonly where: string
  read(): HandedText
  /** Resolves when it is on the disk. */
  write(text: string): Promise<void>
}

/** Data of the log-in that outlives a restart. */
export interface LoginStorage {
  /** The key that seals sessions. @throws HermesError with exit code 78 if it is invalid */
  key(): Promise<Buffer>
  /** Sessions that were ended early. */
  readonly ended: StoredText
  readonly tokens: StoredTokens
}

export interface LoginStorageFacts {
  readonly home: string
  readonly clock: Clock
  /** The data that init has handed over; absent: init has not started this process. */
  readonly handed: Handed | undefined
  readonly inImage: boolean
  /** HERMES_DASHBOARD_KEY_FILE */
  readonly keyFile: string | undefined
  readonly warn: (text: string) => void
}

/**
 * Chooses where the log-in keeps data across a restart: with init, if init keeps it; in the volume in a checkout and
 * where everything runs as one user; nowhere for a second dashboard started by hand in a container.
 */
export function chooseLoginStorage(facts: LoginStorageFacts): LoginStorage {
  const { home, handed, inImage } = facts
  const kept = handed?.kept
  const keeping =
    handed !== undefined && kept !== undefined
      ? withInit({ ...handed, kept }, facts)
      : handed === undefined && inImage
        ? nowhere(facts.warn)
        : inVolume(home)
  const given =
    handed?.keyFile ?? (facts.keyFile === undefined ? undefined : readMountedFile(facts.keyFile, MAX_KEY_FILE_BYTES))
  return given === undefined ? keeping : { ...keeping, key: async () => keyFrom(given, facts.keyFile ?? '') }
}

function withInit(
  { kept, keep, look }: Handed & Required<Pick<Handed, 'kept'>>,
  { clock, warn }: Pick<LoginStorageFacts, 'clock' | 'warn'>,
): LoginStorage {
  return {
    async key() {
      const key = decodeKey(kept.key?.text)
      if (key !== undefined) return key
      const made = randomBytes(KEY_BYTES)
      await keep('key', `${made.toString('base64url')}\n`).catch((error: Error) =>
        warn(
          `${error.message}; people log in again after a restart of the dashboard, unless HERMES_DASHBOARD_KEY_FILE names a key`,
        ),
      )
      return made
    },
    ended: { where: 'the list of ended sessions', read: () => kept.ended ?? {}, write: (text) => keep('ended', text) },
    tokens: { where: join(DASHBOARD_DIR, 'tokens'), read: rereading(look, clock) },
  }
}

/** Reads the text again only when it has changed, and does not wait for an init that hangs. */
function rereading(look: Handed['look'], clock: Clock): StoredTokens['read'] {
  let last: Looked | undefined
  return async () => {
    let answer: Looked | undefined
    const asked = look(last?.stamp).then((looked) => {
      answer = looked.stamp !== undefined && looked.stamp === last?.stamp ? last : looked
      last = answer
    })
    if (!(await inTime(clock, LOOK_MS, asked))) return { problem: 'cannot be read: init does not answer' }
    return answer ?? {}
  }
}

function inVolume(home: string): LoginStorage {
  const [file, tokens] = [join(home, 'dashboard.revoked'), volumeTokenFile(home)]
  return {
    key: () => dashboardKey(home),
    ended: {
      where: file,
      read: () => readSmallFile(file, MAX_ENDED_BYTES),
      write: (text) => replaceFile(file, text, 0o600),
    },
    tokens: { where: tokens, read: async () => readSmallFile(tokens, MAX_TOKEN_BYTES) },
  }
}

/** A dashboard by hand in a container: gateways could read what it leaves in the volume. */
function nowhere(warn: (text: string) => void): LoginStorage {
  return {
    async key() {
      warn(
        'this dashboard was not started by init, so its sessions end with it unless HERMES_DASHBOARD_KEY_FILE names a key',
      )
      return randomBytes(KEY_BYTES)
    },
    ended: { where: 'memory', read: () => ({}), write: async () => undefined },
    tokens: { where: 'memory', read: async () => ({}) },
  }
}

function keyFrom({ text, problem }: HandedText, path: string): Buffer {
  const key = decodeKey(text)
  if (key !== undefined) return key
  throw misconfigured(
    `HERMES_DASHBOARD_KEY_FILE=${path}: ${problem ?? `expected ${KEY_BYTES} bytes in base64`}`,
    'generate one with: openssl rand -base64 32',
  )
}

/** Accepts base64 and base64url. */
export function decodeKey(text: string | undefined): Buffer | undefined {
  const key = Buffer.from((text ?? '').trim(), 'base64')
  return key.length === KEY_BYTES ? key : undefined
}
