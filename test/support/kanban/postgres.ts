/** A private PostgreSQL server: in a temporary directory, on a unix socket, never as root. */
import { spawn, spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runSync } from '../../../scripts/run.ts'
import { waitFor } from '../wait.ts'

const DEBIAN = '/usr/lib/postgresql'

/** Directory of initdb and postgres; undefined: PostgreSQL is not installed. */
export function postgresPrograms(): string | undefined {
  const versions = existsSync(DEBIAN) ? readdirSync(DEBIAN).sort((a, b) => Number(b) - Number(a)) : []
  return versions.map((version) => join(DEBIAN, version, 'bin')).find((dir) => existsSync(join(dir, 'initdb')))
}

export const whyNoPostgres = (): string | undefined =>
  postgresPrograms() === undefined ? 'PostgreSQL is not installed (apt-get install postgresql-15)' : undefined

export interface PostgresServer extends AsyncDisposable {
  readonly url: string
  /** SQL as the superuser, by psql. @returns its unaligned output */
  psql(sql: string): string
  /** Likewise, in another database than `postgres`. */
  psqlIn(database: string, sql: string): string
  /** Sends it to the server and each of its processes. */
  signal(signal: NodeJS.Signals): void
  /** Ends it as `pg_ctl stop -m immediate` does: at once, so that it has to recover. */
  crash(): Promise<void>
  /** Starts it again after a crash. */
  again(): Promise<void>
  /** Its log so far. */
  log(): string
}

/** PostgreSQL refuses to run as root. */
const USER = 65_534

export interface PostgresOptions {
  /** Commits wait for the disk, as in production. */
  readonly durable?: boolean
  /** Address and port for TCP, with a password for everybody; default: only a unix socket, and no password. */
  readonly tcp?: { readonly host: string; readonly port: number; readonly password: string }
}

export async function startPostgres({ durable = false, tcp }: PostgresOptions = {}): Promise<PostgresServer> {
  const bin = postgresPrograms()
  if (bin === undefined) throw new Error(whyNoPostgres())
  const dir = mkdtempSync(join(tmpdir(), 'hermes-pg-'))
  const isRoot = process.getuid?.() === 0
  const ids = isRoot ? { uid: USER, gid: USER } : {}
  if (isRoot) chownSync(dir, USER, USER)
  chmodSync(dir, 0o700)
  const data = join(dir, 'data')
  const options = ['--username=postgres', '--auth=trust', '--encoding=UTF8', '--locale=C.UTF-8', '--no-sync']
  const made = spawnSync(join(bin, 'initdb'), ['--pgdata', data, ...options], { ...ids, cwd: '/', encoding: 'utf8' })
  if (made.status !== 0) throw new Error(made.stderr)
  const settings = [
    `unix_socket_directories=${dir}`,
    `listen_addresses=${tcp?.host ?? ''}`,
    'max_connections=60',
    `fsync=${durable ? 'on' : 'off'}`,
    ...(tcp === undefined ? [] : [`port=${tcp.port}`]),
  ]
  if (tcp !== undefined)
    writeFileSync(join(data, 'pg_hba.conf'), 'local all all trust\nhost all all all scram-sha-256\n')
  let seen = ''
  const start = () => {
    const server = spawn(join(bin, 'postgres'), ['-D', data, ...settings.flatMap((one) => ['-c', one])], {
      ...ids,
      cwd: '/',
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    server.stderr.setEncoding('utf8').on('data', (text: string) => {
      seen += text
    })
    return { server, ended: new Promise<void>((resolve) => server.once('exit', () => resolve())) }
  }
  let { server, ended } = start()
  const port = tcp === undefined ? [] : ['-p', String(tcp.port)]
  const psqlIn = (database: string, sql: string): string =>
    runSync(join(bin, 'psql'), ['-h', dir, ...port, '-U', 'postgres', '-d', database, '-AtXc', sql])
  const psql = (sql: string): string => psqlIn('postgres', sql)
  const answers = (): Promise<void> =>
    waitFor('PostgreSQL to answer', () => {
      if (server.exitCode !== null) throw new Error(seen)
      return spawnSync(join(bin, 'pg_isready'), ['-h', dir, ...port], { stdio: 'ignore' }).status === 0
    }).then(() => undefined)
  await answers()
  if (tcp !== undefined) psql(`ALTER USER postgres PASSWORD '${tcp.password}'`)
  return {
    psqlIn,
    async crash() {
      server.kill('SIGQUIT')
      await ended
    },
    async again() {
      ;({ server, ended } = start())
      await answers()
    },
    log: () => seen,
    psql,
    signal(signal) {
      const children = readFileSync(`/proc/${server.pid}/task/${server.pid}/children`, 'latin1')
      for (const pid of [server.pid, ...children.trim().split(' ').map(Number)]) if (pid) process.kill(pid, signal)
    },
    url:
      tcp === undefined
        ? `postgres://postgres@/postgres?host=${encodeURIComponent(dir)}`
        : `postgres://postgres:${tcp.password}@${tcp.host}:${tcp.port}/postgres`,
    async [Symbol.asyncDispose]() {
      // At once and without a checkpoint: what it holds is of no more use.
      server.kill('SIGQUIT')
      await ended
      rmSync(dir, { recursive: true, force: true })
    },
  }
}
