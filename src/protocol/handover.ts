/**
 * Secrets that init passes to the dashboard, and to the dispatcher of a board in a database, which run with the uid of
 * the gateways. They go over an inherited socket pair, so that no gateway can read them in an environment, a command
 * line or the volume. Newline-delimited JSON: first a {@link Handover}; then the dashboard sends {@link Keep} and
 * {@link Look}, and init answers each with a {@link Kept} or a {@link Looked}, in their order.
 */
import type { RuntimeIdentity } from './start-up.ts'

/** The variable that names the descriptor. Set by init alone, for a process that it starts as root. */
export const HANDOVER_VARIABLE = 'HERMES_HANDOVER_FD'
/** Behind the streams and the descriptor for readiness. */
export const HANDOVER_FD = 4
/** Longest line that init takes from the dashboard. */
export const MAX_HANDOVER_LINE_BYTES = 1_000_000

/** Where init keeps data for the dashboard in the image; a volume mounted there outlives `docker rm`. */
export const DASHBOARD_DIR = '/var/lib/hermes-dashboard'

/** Data that the dashboard keeps across a restart: the key of its sessions, and sessions that were ended early. */
export const KEPT_TEXTS = ['key', 'ended'] as const
export type KeptText = (typeof KEPT_TEXTS)[number]
export const isKeptText = (value: unknown): value is KeptText => KEPT_TEXTS.some((name) => name === value)

/** Largest key file that HERMES_DASHBOARD_KEY_FILE may name. */
export const MAX_KEY_FILE_BYTES = 1024

/** A text, or why it cannot be read. Both are absent where there is none. */
export interface HandedText {
  readonly text?: string | undefined
  readonly problem?: string | undefined
}

export interface Handover {
  /** The user to become before anything else; absent: keep the current one. */
  readonly identity?: RuntimeIdentity
  /** Programs that it starts cannot gain privileges. */
  readonly restricted?: boolean
  /** Its environment, without the secrets. */
  readonly env: Readonly<Record<string, string>>
  readonly secrets: Readonly<Record<string, string>>
  /** Working directory; absent: unchanged. */
  readonly cwd?: string
  /** The kept data, where init keeps it; absent: the dashboard keeps it in the volume itself. */
  readonly kept?: { readonly [name in KeptText]?: HandedText }
  /** Contents of the file that HERMES_DASHBOARD_KEY_FILE names. */
  readonly keyFile?: HandedText
}

export interface Keep {
  readonly type: 'keep'
  readonly name: KeptText
  readonly text: string
}

export interface Kept {
  readonly type: 'kept'
  readonly name: KeptText
  /** Why it is not on the disk. */
  readonly problem?: string
}

/** Asks for the hashes of the API tokens. Commands of root write them; the dashboard cannot. */
export interface Look {
  readonly type: 'look'
  /** Of the text that the dashboard has. */
  readonly stamp?: string
}

/** `text` is absent if the stamp is the one of the question; all are absent if there is no such file. */
export interface Looked extends HandedText {
  readonly type: 'looked'
  readonly stamp?: string
}

/** One line of the dashboard, which init does not trust. @returns undefined for anything else than such a message */
export function parseQuestion(line: string): Keep | Look | undefined {
  let value: (Partial<Omit<Keep, 'type'>> & { readonly type?: unknown; readonly stamp?: unknown }) | null
  try {
    value = JSON.parse(line) as typeof value
  } catch {
    return undefined
  }
  const { type, name, text, stamp } = value ?? {}
  if (type === 'look') return { type, ...(typeof stamp === 'string' && { stamp }) }
  return type === 'keep' && isKeptText(name) && typeof text === 'string' ? { type, name, text } : undefined
}
