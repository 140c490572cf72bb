/** Decides by name alone which paths of a home belong into a backup. docs/backup.md has the same list for users. */

export interface Wanted {
  readonly secrets: boolean
  readonly logs: boolean
}

/** Files that hermes knows to be secret, in any directory. */
const SECRET = /^(\.env(\..*)?|auth\.json|dashboard\.(key|tokens))$/

/** At the top. `run` is the run directory of a checkout. */
const TOP = ['backups', 'kanban-export', 'run', 'run.lease']
/** Below kanban/: the last tick, what is handed to workers that run. */
const KANBAN = ['kanban/dispatch', 'kanban/contexts']
/** At the top of each profile. The manifest has the desired state. */
export const RUN_STATE: readonly string[] = [
  'gateway.pid',
  'gateway.lock',
  'gateway_state.json',
  'desired_state',
  'processes.json',
  'auth.lock',
]
const CACHE = 'home/.cache'

/** Directories that a command is just building or removing. */
const BEING_BUILT = /^(profiles\/\.(new|deleted)-|\.hermes-(backup|restore|restoring)-|kanban\/boards\/\.leaving-)/
const ON_ITS_WAY = /^profiles\/\.(moving|arriving)-[^/]+$/

/**
 * Tells what becomes of a path.
 * @param path relative to the home
 * @returns undefined: it belongs into the backup; `why` is for users; `usual`: it is left out of every backup, so it is
 * not reported
 */
export function whyLeftOut(
  path: string,
  { secrets, logs }: Wanted,
): { readonly why: string; readonly usual?: true } | undefined {
  if (ON_ITS_WAY.test(path)) return { why: 'is a profile on its way to another node' }
  const inProfile = path.replace(/^profiles\/[^/]+\//, '')
  const isState = TOP.includes(path) || KANBAN.includes(path) || RUN_STATE.includes(inProfile) || BEING_BUILT.test(path)
  if (isState) return { why: 'is state of a run', usual: true }
  if (inProfile === CACHE) return { why: 'is a cache', usual: true }
  if (!logs && (inProfile === 'logs' || path === 'kanban/logs')) return { why: 'is logs', usual: true }
  if (!secrets && SECRET.test(path.slice(path.lastIndexOf('/') + 1))) return { why: 'is a secret', usual: true }
  return undefined
}
