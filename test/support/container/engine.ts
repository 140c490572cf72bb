// A Docker engine to test with: the one that answers, or, for root, a dockerd of our own.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, open, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run } from '../../../scripts/run.ts'
import { waitFor } from '../wait.ts'

/** Where what takes long to make is kept between runs: the engine's data, the base image. */
export const cacheDir = (): string =>
  process.env.HERMES_TEST_CACHE ?? join(process.getuid?.() === 0 ? '/var/tmp' : tmpdir(), 'hermes-test-cache')

const engineDir = (): string => join(cacheDir(), 'engine')
const pidFile = (): string => join(engineDir(), 'dockerd.pid')
const logFile = (): string => join(engineDir(), 'dockerd.log')

/** Runs the docker client and gives its standard output, trimmed. @throws with the client's own words when it fails */
export async function docker(args: readonly string[], options: { timeoutMs?: number } = {}): Promise<string> {
  return (await run('docker', args, options)).stdout.trim()
}

/** Why no engine answers, in one line; undefined: one does. */
export async function whyNoEngine(): Promise<string | undefined> {
  try {
    await docker(['version', '--format', '{{.Server.Version}}'], { timeoutMs: 10_000 })
    return undefined
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 'there is no docker client on PATH'
    const said = (error as { stderr?: string }).stderr ?? String(error)
    return said.trim().split('\n').at(-1) ?? 'docker version failed'
  }
}

/**
 * Starts dockerd with its data in the cache directory, unless an engine answers already.
 * @returns whether this call started it: then `stopEngine` ends it
 */
export async function startEngine(): Promise<boolean> {
  const why = await whyNoEngine()
  if (why === undefined) return false
  if (process.getuid?.() !== 0) throw new Error(`no Docker engine answers (${why}) and only root can start one`)
  await mkdir(engineDir(), { recursive: true })
  // A pid file of an engine that was killed would stop the next one from starting.
  await rm(join(engineDir(), 'engine.pid'), { force: true })
  const log = await open(logFile(), 'w')
  // cgroup v2 delegation, storage driver, bridge: dockerd's own choices. Its socket is the default one, so that
  // `docker` finds it.
  const dockerd = spawn(
    'dockerd',
    [
      '--data-root',
      join(engineDir(), 'data'),
      '--exec-root',
      '/run/hermes-test-engine',
      '--pidfile',
      join(engineDir(), 'engine.pid'),
    ],
    { detached: true, stdio: ['ignore', log.fd, log.fd] },
  )
  const failed = new Promise<never>((_, reject) => {
    dockerd.once('error', (error) =>
      reject(new Error(`cannot start dockerd: ${error.message}; on Debian: apt-get install docker.io`)),
    )
  })
  failed.catch(() => undefined) // the race against it below reports it
  await log.close()
  await Promise.race([
    failed,
    waitFor(
      'dockerd to answer',
      async () => {
        if (dockerd.exitCode !== null) return 'ended'
        const why = await whyNoEngine()
        if (why === undefined) return 'answers'
        throw new Error(`${why}\n${await readFile(logFile(), 'utf8')}`)
      },
      { deadlineMs: 60_000 },
    ),
  ])
  if (dockerd.exitCode !== null) throw new Error(`dockerd ended at once:\n${await readFile(logFile(), 'utf8')}`)
  await writeFile(pidFile(), `${dockerd.pid}\n`)
  dockerd.unref()
  await removeLeftovers()
  return true
}

/**
 * The data of an engine of our own outlives it, for the sake of its images. With it comes what an interrupted run left:
 * containers that start again, services of a swarm, volumes that a new container would get in place of an empty one.
 */
async function removeLeftovers(): Promise<void> {
  if ((await docker(['info', '--format', '{{.Swarm.LocalNodeState}}'])) !== 'inactive')
    await docker(['swarm', 'leave', '--force'])
  const ids = (await docker(['ps', '--all', '--quiet'])).split('\n').filter((id) => id !== '')
  if (ids.length > 0) await docker(['rm', '--force', '--volumes', ...ids])
  await docker(['volume', 'prune', '--force'])
  await docker(['network', 'prune', '--force'])
}

/** Ends the engine that `startEngine` started, and waits for its end; does nothing when there is none. */
export async function stopEngine(): Promise<void> {
  if (!existsSync(pidFile())) return
  const pid = Number(await readFile(pidFile(), 'utf8'))
  await rm(pidFile())
  if (!(await isDockerd(pid))) return
  process.kill(pid, 'SIGTERM')
  await waitFor('dockerd to end', async () => !(await isDockerd(pid)), { deadlineMs: 60_000 })
}

/** The pid may have been given to another program since. */
async function isDockerd(pid: number): Promise<boolean> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
    return /\(dockerd\) [^Z]/.test(stat)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
}
