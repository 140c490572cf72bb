/**
 * Joins names to a directory whose path is already normalized, as all of ours are. `path.join` would check every
 * character again: with ten slots often enough that V8 optimised it, at a cost of 6 ms and 4 MB per boot.
 */
export const below = (dir: string, ...names: readonly string[]): string => `${dir}/${names.join('/')}`

/** Paths of the files in the run directory; see docs/ARCHITECTURE.md, "Files". */
export interface RunPaths {
  readonly runDir: string
  readonly controlSocket: string
  /** Of the runtime user; there if the board is in a database. */
  readonly boardDir: string
  /** The dispatcher's, through which programs without the database's address reach the board. */
  readonly boardSocket: string
  readonly identity: string
  /** Walled profiles and their uids, as JSON; root's alone to write. */
  readonly walls: string
  /** init's pid, for `halt`. */
  readonly initPid: string
  /**
   * When PID 1 started, in clock ticks (proc_pid_stat(5), field 22). init writes it as soon as commands can reach it;
   * another number comes from a life before `docker restart`, which leaves /run as it was.
   */
  readonly begun: string
  /** There while the supervisor answers init: what `hermes healthcheck` prints. Written by init. */
  readonly health: string
  /** One FIFO per slot, made by init. */
  readonly logFifos: string
  /** One state file per slot, written by init at each transition. */
  readonly slotStates: string
  /** Facts for the supervisor about the image's services; written by init. */
  readonly services: string
  /** s6's scan directory: one directory per slot. */
  readonly scanDir: string
  /** PATH of what runs as root, for with-contenv. */
  readonly rootPath: string
  /** The container environment store, one file per variable. */
  readonly environmentDir: string
}

/**
 * @param layout `image`: as in the container, `/run/service` and `/run/s6/container_environment`; `private`: all inside
 * the run directory
 */
export const runPaths = (runDir: string, layout: 'image' | 'private'): RunPaths => ({
  runDir,
  controlSocket: below(runDir, 'control.sock'),
  boardDir: below(runDir, 'board'),
  // No longer than the path of the control socket, whose length is checked.
  boardSocket: below(runDir, 'board', 'sock'),
  identity: below(runDir, 'identity'),
  walls: below(runDir, 'walls'),
  initPid: below(runDir, 'init.pid'),
  begun: below(runDir, 'begun'),
  health: below(runDir, 'health'),
  logFifos: below(runDir, 'log'),
  slotStates: below(runDir, 'slots'),
  services: below(runDir, 'services.json'),
  rootPath: below(runDir, 'root-path'),
  scanDir: layout === 'image' ? '/run/service' : below(runDir, 'service'),
  environmentDir: layout === 'image' ? '/run/s6/container_environment' : below(runDir, 'environment'),
})

/** Paths of the files in the volume. */
export interface HomePaths {
  readonly home: string
  readonly profiles: string
  readonly lease: string
  readonly logs: string
  readonly bootLog: string
  readonly auditLog: string
  readonly supervisorLog: string
}

export const homePaths = (home: string): HomePaths => ({
  home,
  profiles: below(home, 'profiles'),
  lease: below(home, 'run.lease'),
  logs: below(home, 'logs'),
  bootLog: below(home, 'logs', 'container-boot.log'),
  auditLog: below(home, 'logs', 'audit.log'),
  supervisorLog: below(home, 'logs', 'supervisor.log'),
})

/** The default profile is the top of the volume; the others are in `profiles/<name>`. */
export const profileDir = (home: string, profile: string): string =>
  profile === 'default' ? home : below(home, 'profiles', profile)

/** The directory that holds `current` and the archives of a slot. */
export const slotLogDir = (home: string, slot: string): string => {
  const profile = profileOfSlot(slot)
  if (profile !== undefined) return below(home, 'logs', 'gateways', profile)
  if (slot.startsWith('service-')) return below(home, 'logs', 'services', slot.slice('service-'.length))
  return below(home, 'logs', 'helpers', slot)
}

/** The directory with the last day of each slot's usage, a file each. */
export const historyDir = (home: string): string => below(home, 'logs', 'history')
export const historyFile = (home: string, slot: string): string => below(historyDir(home), slot)

export const gatewaySlot = (profile: string): string => `gateway-${profile}`

/** The profile whose gateway runs in this slot; undefined for helpers, jobs and services. */
export const profileOfSlot = (slot: string): string | undefined =>
  slot.startsWith('gateway-') ? slot.slice('gateway-'.length) : undefined

/** Whether a slot is the gateway of a profile, and not one of the workers, which have a profile too. */
export const isGatewaySlot = ({ slot }: { readonly slot: string }): boolean => profileOfSlot(slot) !== undefined

/** Files of a profile, and of the volume itself, that only the runtime user may read. */
export const SECRET_FILES = ['.env', 'auth.json'] as const
