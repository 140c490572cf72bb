/** Names in the volume that belong to hermes; anything else keeps its owner (docs/files.md). */

/** Including their content. */
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
  'kanban-export',
  'backups',
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
  'node.id',
  'desired_state',
  'dashboard.key',
  'dashboard.revoked',
  'dashboard.tokens',
] as const

/** Names at the top that start like this belong to hermes too: a database's journals. */
export const KNOWN_PREFIXES = ['state.db', 'kanban.db'] as const

/** Tells whether a name at the top belongs to a hermes volume. */
export const isKnownName = (name: string): boolean =>
  [...KNOWN_DIRECTORIES, ...KNOWN_FILES, 'lost+found', 'run'].includes(name) ||
  KNOWN_PREFIXES.some((prefix) => name.startsWith(prefix))

/**
 * The group whose files are changed if only the runtime group differs (PGID): the group of the volume's top
 * directory, which is changed last. A setgid directory shares the volume with its group on purpose, and is left
 * unchanged.
 * @returns undefined: no group has changed
 */
export function formerGid(home: { readonly gid: number; readonly mode: number }, gid: number): number | undefined {
  return home.gid === gid || (home.mode & 0o2000) !== 0 ? undefined : home.gid
}

function withJournals(name: string): readonly string[] {
  return [name, `${name}-wal`, `${name}-shm`, `${name}-journal`]
}

/** Permissions that the owner of a directory needs to work in it. */
export const OWNER_ALL = 0o700
export const isUsable = (mode: number): boolean => (mode & OWNER_ALL) === OWNER_ALL
