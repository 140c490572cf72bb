/** What in the volume is ours by name; anything else keeps its owner (docs/files.md). */

/** With everything inside. */
export const KNOWN_DIRECTORIES = [
  'profiles',
  'cron',
  'sessions',
  'logs',
  'hooks',
  'memories',
  'skills',
  'skins',
  'plans',
  'workspace',
  'home',
  'pairing',
  'kanban',
] as const

/** Files at the top. */
export const KNOWN_FILES = [
  'auth.json',
  'auth.lock',
  '.env',
  'config.yaml',
  'SOUL.md',
  ...withJournals('state.db'),
  ...withJournals('kanban.db'),
  'gateway.pid',
  'gateway.lock',
  'gateway_state.json',
  'processes.json',
  'active_profile',
  'run.lease',
  'desired_state',
  'dashboard.key',
  'dashboard.revoked',
] as const

/** Names at the top that begin so are ours too: a database's journals. */
export const KNOWN_PREFIXES = ['state.db', 'kanban.db'] as const

/** Whether a name at the top is a volume's. */
export const isKnownName = (name: string): boolean =>
  [...KNOWN_DIRECTORIES, ...KNOWN_FILES, 'lost+found', 'run'].includes(name) ||
  KNOWN_PREFIXES.some((prefix) => name.startsWith(prefix))

/** Files at the top that only the runtime user may read. */
export const SECRET_FILES = ['.env', 'auth.json'] as const

/**
 * The group whose files follow when the runtime group alone is another one (PGID): that of the volume's top directory,
 * which is given away last. A setgid one was made so to share the volume with its group, and is left alone.
 * @returns undefined: no group has changed
 */
export function formerGid(home: { readonly gid: number; readonly mode: number }, gid: number): number | undefined {
  return home.gid === gid || (home.mode & 0o2000) !== 0 ? undefined : home.gid
}

function withJournals(name: string): readonly string[] {
  return [name, `${name}-wal`, `${name}-shm`, `${name}-journal`]
}

/** What the owner of a directory needs to work in it. */
export const OWNER_ALL = 0o700
export const isUsable = (mode: number): boolean => (mode & OWNER_ALL) === OWNER_ALL
