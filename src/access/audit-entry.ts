/** One line of the audit log: a change, and who made it. Pure. */

/**
 * By which way a change came. `page`: a person at the dashboard; `api` and `mcp`: a program with a token, or another
 * node.
 */
export const VIAS = ['cli', 'page', 'api', 'mcp', 's6'] as const
export type Via = (typeof VIAS)[number]

/** Result of a change that was made. Others have the code of their error, such as `conflict`. */
export const DONE = 'done'

export interface Change {
  readonly actor: string
  readonly via: Via
  /** As a command is called: `gateway restart`, `kanban create`. */
  readonly action: string
  /** Names and ids only, never a value or a text; null: the action has none. */
  readonly target: string | null
  readonly result: string
  /** Number of further changes of this kind in the minute before, which have no line of their own. */
  readonly more?: number
}

export interface AuditEntry extends Change {
  /** RFC 3339 UTC. */
  readonly time: string
}

export interface AuditFilter {
  /** Unix ms. */
  readonly sinceMs?: number | undefined
  readonly actor?: string | undefined
  /** A whole action, or its first words: `kanban` finds `kanban create`. */
  readonly action?: string | undefined
}

/** Names in requests can be long. */
const MAX_CHARS = 200

const cut = (text: string): string => (text.length > MAX_CHARS ? `${text.slice(0, MAX_CHARS)}…` : text)

/** @returns a line with its newline */
export function auditLine({ actor, via, action, target, result, more }: Change, wallMs: number): string {
  const entry: AuditEntry = {
    time: new Date(wallMs).toISOString(),
    actor: cut(actor),
    via,
    action: cut(action),
    target: target === null ? null : cut(target),
    result: cut(result),
    ...(more !== undefined && { more }),
  }
  return `${JSON.stringify(entry)}\n`
}

/** @returns undefined for anything else: a torn line, or one that something else has written */
export function parseAuditLine(line: string): AuditEntry | undefined {
  let value: { readonly [key in keyof AuditEntry]?: unknown } | null
  try {
    value = JSON.parse(line) as typeof value
  } catch {
    return undefined
  }
  const { time, actor, via, action, target, result, more } = value ?? {}
  const isWhole =
    typeof time === 'string' &&
    /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(time) &&
    typeof actor === 'string' &&
    VIAS.some((known) => known === via) &&
    typeof action === 'string' &&
    (target === null || typeof target === 'string') &&
    typeof result === 'string' &&
    (more === undefined || Number.isSafeInteger(more))
  if (!isWhole) return undefined
  return {
    time,
    actor,
    via: via as Via,
    action,
    target,
    result,
    ...(more !== undefined && { more: more as number }),
  }
}

export const matches = (entry: AuditEntry, { sinceMs, actor, action }: AuditFilter): boolean =>
  (sinceMs === undefined || Date.parse(entry.time) >= sinceMs) &&
  (actor === undefined || entry.actor === actor) &&
  (action === undefined || entry.action === action || entry.action.startsWith(`${action} `))
