/** The dispatcher's settings, as written and as effective. */
import { type Labels, labelList, parseLabels } from './labels.ts'
import { type Pools, readPools } from './pools.ts'

/** Values from config.yaml, unchecked where the contract prescribes its own message for a bad value. */
export interface WrittenRules {
  readonly defaultAssignee: string
  readonly maxInProgressPerProfile: unknown
  readonly maxInProgress: number | null
  /** A map of names and capacities. */
  readonly pools: unknown
  readonly failureLimit: number
  readonly dispatchIntervalSeconds: number
  readonly dispatchStaleTimeoutSeconds: number
  readonly requireReview: boolean
  /** Of this node, such as `gpu,region=eu`. */
  readonly labels: string
}

export interface Rules {
  /** A profile that exists; null: off. */
  readonly defaultAssignee: string | null
  readonly maxInProgressPerProfile: number | null
  readonly maxInProgress: number | null
  readonly pools: Pools
  /** `--max`: bounds running + spawned, as max_in_progress does. */
  readonly maxSpawn: number | null
  /** Limit for tasks without a limit of their own. */
  readonly failureLimit: number
  readonly staleAfterMs: number
  readonly requireReview: boolean
  /** Of this node. */
  readonly labels: Labels
}

export interface RulesInForce {
  readonly rules: Rules
  /** One line for each value that was ignored. */
  readonly warnings: readonly string[]
  /** One line for each of the two values that decide where tasks go. */
  readonly notes: readonly string[]
}

const PREFIX = 'kanban dispatcher:'

/** Normalizes an assignee like a profile name: trimmed, in lower case. '' means unassigned. */
export function normalizeAssignee(text: string | null): string | null {
  const name = (text ?? '').trim().toLowerCase()
  return name === '' ? null : name
}

/**
 * The rules of a tick.
 * @param options of `hermes kanban dispatch`; `nodeLabels`: HERMES_NODE_LABELS
 */
export function rulesInForce(
  written: WrittenRules,
  profiles: { has(name: string): boolean },
  options: { readonly max?: number; readonly failureLimit?: number; readonly nodeLabels?: string | undefined } = {},
): RulesInForce {
  const wished = normalizeAssignee(written.defaultAssignee)
  const defaultAssignee = wished !== null && profiles.has(wished) ? wished : null
  const cap = readCap(written.maxInProgressPerProfile)
  const pools = readPools(written.pools)
  const labels = readLabels(written.labels, options.nodeLabels)
  const warnings = [
    ...(wished !== null && defaultAssignee === null
      ? [`${PREFIX} kanban.default_assignee='${written.defaultAssignee.trim()}' names no profile; ignoring`]
      : []),
    ...(cap.warning === undefined ? [] : [cap.warning]),
    ...(pools.warning === undefined ? [] : [`${PREFIX} ${pools.warning}`]),
    ...(labels.warning === undefined ? [] : [labels.warning]),
  ]
  const notes = [
    ...(defaultAssignee === null
      ? []
      : [`${PREFIX} default_assignee='${defaultAssignee}' (unassigned ready tasks will route to this profile)`]),
    ...(cap.value === null ? [] : [`${PREFIX} max_in_progress_per_profile=${cap.value}`]),
    ...(pools.value.size === 0 ? [] : [`${PREFIX} pools=${poolList(pools.value)}`]),
    ...(Object.keys(labels.value).length === 0 ? [] : [`${PREFIX} labels=${labelList(labels.value).join(',')}`]),
  ]
  return {
    rules: {
      defaultAssignee,
      maxInProgressPerProfile: cap.value,
      maxInProgress: written.maxInProgress,
      pools: pools.value,
      maxSpawn: options.max ?? null,
      failureLimit: options.failureLimit ?? written.failureLimit,
      staleAfterMs: written.dispatchStaleTimeoutSeconds * 1000,
      requireReview: written.requireReview,
      labels: labels.value,
    },
    warnings,
    notes,
  }
}

const poolList = (pools: Pools): string => [...pools].map(([name, cap]) => `${name}:${cap}`).join(',')

/**
 * The labels of this node. The variable counts if it is set, else the key; a value that cannot be read means no labels
 * and a warning.
 */
export function readLabels(written: string, variable: string | undefined): { value: Labels; warning?: string } {
  const isSet = variable !== undefined && variable.trim() !== ''
  try {
    return { value: parseLabels(isSet ? variable : written, isSet ? 'HERMES_NODE_LABELS' : 'kanban.labels') }
  } catch (error) {
    return { value: {}, warning: `${PREFIX} ${(error as Error).message}; this node has no labels` }
  }
}

/**
 * Reads a cap: a whole number of 1 or more, also as text. Unset means no cap; anything else means no cap and a
 * warning.
 */
function readCap(raw: unknown): { value: number | null; warning?: string } {
  if (raw === null || raw === undefined) return { value: null }
  const number =
    typeof raw === 'number' ? raw : typeof raw === 'string' && /^\s*[+-]?\d+\s*$/.test(raw) ? Number(raw) : NaN
  const key = 'kanban.max_in_progress_per_profile'
  if (!Number.isSafeInteger(number)) {
    const shown = (typeof raw === 'string' ? raw : (JSON.stringify(raw) ?? String(raw)))
      .replaceAll(/\s+/g, ' ')
      .slice(0, 80)
    return { value: null, warning: `${PREFIX} invalid ${key}='${shown}'; ignoring` }
  }
  return number >= 1 ? { value: number } : { value: null, warning: `${PREFIX} ${key}=${number} is below 1; ignoring` }
}

/** Maximum number of running tasks on the whole board; null: no limit. */
export function boardLimit({ maxInProgress, maxSpawn }: Rules): number | null {
  if (maxInProgress === null) return maxSpawn
  return maxSpawn === null ? maxInProgress : Math.min(maxInProgress, maxSpawn)
}
