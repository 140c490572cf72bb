/** Shapes under a name of the volume that should be a small file or a directory of ours. */
import { mkdirSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { runSync } from '../../../scripts/run.ts'

/** The default profile's and the volume's own. */
const OF_HOME = [
  'config.yaml',
  '.env',
  'SOUL.md',
  'auth.json',
  'active_profile',
  'desired_state',
  'gateway_state.json',
  'gateway.pid',
  'processes.json',
  'run.lease',
  'dashboard.key',
  'kanban.db',
  'kanban.db-wal',
  'kanban',
  'kanban/boards',
  'kanban/boards/x/kanban.db',
  'kanban/current_board',
  'kanban/results',
  'kanban/dispatch/default.json',
  'sessions',
  'sessions/sessions.db',
  'memories',
  'profiles',
  'logs',
  'logs/gateways',
  'logs/gateways/default',
  'logs/gateways/default/current',
  'logs/helpers',
  'logs/container-boot.log',
  'logs/supervisor.log',
] as const
/** Files of another profile, which must cost only that profile. */
const OF_OTHER = [
  'profiles/evil',
  'profiles/Stray',
  'profiles/evil/config.yaml',
  'profiles/evil/.env',
  'profiles/evil/desired_state',
  'profiles/evil/gateway_state.json',
  'profiles/evil/gateway.pid',
  'profiles/evil/processes.json',
  'profiles/evil/sessions/sessions.db',
  'logs/gateways/evil',
  'logs/gateways/evil/current',
  'logs/gateways/evil/20260101T000000.000Z.log',
] as const

/** Made by hand where a file of that many names is moved in and out. */
const CROWD = 100_000

export class Shapes implements Disposable {
  readonly #crowd: string
  readonly #crowdSize: number

  /** @param scratch on the file system of the volumes */
  constructor(scratch: string, crowdSize = CROWD) {
    this.#crowd = join(scratch, 'crowd')
    this.#crowdSize = crowdSize
  }

  /** Kinds of things; each makes it and returns what takes it away again. */
  readonly kinds: Readonly<Record<string, (path: string) => () => void>> = {
    'a FIFO': made((path) => runSync('mkfifo', [path])),
    'a directory': made((path) => mkdirSync(join(path, 'in', 'it'), { recursive: true })),
    'a link to itself': made((path) => symlinkSync(path, path)),
    'a link that leads nowhere': made((path) => symlinkSync('/nowhere', path)),
    'a device without an end': made((path) => symlinkSync('/dev/zero', path)),
    'a link to 10 MB of /proc that say they are empty': made((path) => symlinkSync('/proc/kallsyms', path)),
    'a link to a directory of /proc': made((path) => symlinkSync('/proc/self/fd', path)),
    '10 GB of nothing': made((path) => {
      writeFileSync(path, '')
      truncateSync(path, 10e9)
    }),
    rubbish: made((path) => writeFileSync(path, Buffer.from(Array.from({ length: 5000 }, (_, i) => (i * 7919) % 251)))),
    'a socket': (path) => {
      const server = createServer().listen(path)
      return () => void server.close()
    },
    'an empty file': made((path) => writeFileSync(path, '')),
    'a directory of very many names': (path) => {
      this.#makeCrowd()
      renameSync(this.#crowd, path)
      return () => {
        // Programs may remove it; it is made anew.
        this.#made = moved(path, this.#crowd)
      }
    },
  }

  /** Every name with everything in its place: 504. */
  get all(): readonly (readonly [kind: string, name: string])[] {
    return [...OF_HOME, ...OF_OTHER].flatMap((name) => Object.keys(this.kinds).map((kind) => [kind, name] as const))
  }

  /** Puts it there, whatever was there before. @returns takes it away, and puts back what was there */
  plant(home: string, kind: string, name: string): () => void {
    const path = join(home, name)
    mkdirSync(dirname(path), { recursive: true })
    const aside = `${path}.aside`
    const had = moved(path, aside)
    const undo = againIfThere(path, () => this.kinds[kind]?.(path))
    return () => {
      undo?.()
      rmSync(path, { recursive: true, force: true })
      if (had) renameSync(aside, path)
    }
  }

  [Symbol.dispose](): void {
    rmSync(this.#crowd, { recursive: true, force: true })
  }

  #made = false
  #makeCrowd(): void {
    if (this.#made) return
    this.#made = true
    mkdirSync(this.#crowd)
    for (let i = 0; i < this.#crowdSize; i++) writeFileSync(join(this.#crowd, `name ${i}`), '')
  }
}

function made(make: (path: string) => void): (path: string) => () => void {
  return (path) => {
    make(path)
    return () => undefined
  }
}

/** A running program may have put its own file there again. */
function againIfThere<T>(path: string, make: () => T): T {
  for (let left = 20; ; left--) {
    try {
      return make()
    } catch (error) {
      if (left === 0) throw error
      rmSync(path, { recursive: true, force: true })
    }
  }
}

function moved(from: string, to: string): boolean {
  try {
    renameSync(from, to)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
}
