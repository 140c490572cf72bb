// A Docker engine to test with: the one that answers, or, for root, a dockerd of our own.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, open, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run } from '../../../scripts/run.ts'
import { waitFor } from '../wait.ts'

/** Where what takes long to make is kept between runs: the engine's data, the base image. */
export const cacheDir = (): string =>
  process.env.HERMES_TEST_CACHE ?? join(process.getuid?.() === 0 ? '/var/tmp' : tmpdir(), 'hermes-test-cache')

const engineDir = (): string => join(cacheDir(), 'engine')
/** dockerd's own: it says whose engine runs, also when the one who started it was killed. */
const pidFile = (): string => join(engineDir(), 'engine.pid')
/** There from the word to end until the end. */
const endingFile = (): string => join(engineDir(), 'ending')
const logFile = (): string => join(engineDir(), 'dockerd.log')
const EXEC_ROOT = '/run/hermes-test-engine'
const PATIENCE = { deadlineMs: 60_000 }

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
 * Starts dockerd with its data in the cache directory, unless an engine answers already. One that another run has just
 * begun to start or to end is waited for.
 * @returns whether this call started it: then `stopEngine` ends it
 */
export const startEngine = (): Promise<boolean> => exclusively(start)

/** Ends the engine of our own, and waits for its end; does nothing when there is none. */
export const stopEngine = (): Promise<void> => exclusively(stop)

/** One run at a time starts or ends it. The kernel frees the name when the process that has it is killed. */
async function exclusively<T>(act: () => Promise<T>): Promise<T> {
  const name = `\0hermes-test-engine:${cacheDir()}`
  const server = await waitFor(
    'another run to have started or ended the engine',
    () =>
      new Promise<Server | undefined>((resolve) => {
        const server = createServer()
        server.once('error', () => resolve(undefined)).listen(name, () => resolve(server))
      }),
    { deadlineMs: 3 * PATIENCE.deadlineMs },
  )
  try {
    return await act()
  } finally {
    server.close()
  }
}

async function start(): Promise<boolean> {
  await settleFormer()
  const why = await whyNoEngine()
  if (why === undefined) return false
  if (process.getuid?.() !== 0) throw new Error(`no Docker engine answers (${why}) and only root can start one`)
  await mkdir(engineDir(), { recursive: true })
  await removeStalePids()
  const log = await open(logFile(), 'w')
  // cgroup v2 delegation, storage driver, bridge: dockerd's own choices. Its socket is the default one, so that
  // `docker` finds it.
  const dockerd = spawn(
    'dockerd',
    ['--data-root', join(engineDir(), 'data'), '--exec-root', EXEC_ROOT, '--pidfile', pidFile()],
    { detached: true, stdio: ['ignore', log.fd, log.fd] },
  )
  const failed = new Promise<never>((_, reject) => {
    dockerd.once('error', (error) =>
      reject(new Error(`cannot start dockerd: ${error.message}; on Debian: apt-get install docker.io`)),
    )
  })
  failed.catch(() => undefined) // the race against it below reports it
  await log.close()
  const hasEnded = (): boolean => dockerd.exitCode !== null || dockerd.signalCode !== null
  await Promise.race([
    failed,
    waitFor(
      'dockerd to answer',
      async () => {
        if (hasEnded()) return 'ended'
        const why = await whyNoEngine()
        if (why === undefined) return 'answers'
        throw new Error(`${why}\n${await readFile(logFile(), 'utf8')}`)
      },
      PATIENCE,
    ),
  ])
  dockerd.unref()
  if (hasEnded()) throw new Error(`dockerd ended at once:\n${await readFile(logFile(), 'utf8')}`)
  await removeLeftovers()
  return true
}

/** Waits until an engine of ours that another run has begun to start, or to end, answers or is gone. */
async function settleFormer(): Promise<void> {
  const pid = await livingPid()
  if (pid === undefined) return
  if (existsSync(endingFile())) return stop() // the run that wrote it was killed
  try {
    await waitFor(
      'the engine of another run to answer, or to end',
      async () => (await livingPid()) === undefined || (await whyNoEngine()) === undefined,
      PATIENCE,
    )
  } catch {
    await stop() // it hangs
  }
}

/**
 * Files with pids of an engine that was killed stop the next one: dockerd takes any process that has such a pid by now
 * for itself, or for its containerd.
 */
async function removeStalePids(): Promise<void> {
  const files = { [pidFile()]: 'dockerd', [`${EXEC_ROOT}/containerd/containerd.pid`]: 'containerd' }
  for (const [file, name] of Object.entries(files))
    if ((await pidIn(file, name)) === undefined) await rm(file, { force: true })
  await rm(endingFile(), { force: true })
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

async function stop(): Promise<void> {
  const pid = await livingPid()
  if (pid === undefined) return
  const isGone = async (): Promise<boolean> => (await livingPid()) !== pid
  await writeFile(endingFile(), '')
  process.kill(pid, 'SIGTERM')
  await waitFor('dockerd to end', isGone, PATIENCE).catch(async () => {
    process.kill(pid, 'SIGKILL')
    await waitFor('dockerd to be gone', isGone, PATIENCE)
  })
  await rm(endingFile(), { force: true })
}

/** The pid of our dockerd. */
const livingPid = (): Promise<number | undefined> => pidIn(pidFile(), 'dockerd')

/** The pid that the file names, if that process has this name: the pid may have been given to another program since. */
async function pidIn(file: string, name: string): Promise<number | undefined> {
  try {
    const pid = Number(await readFile(file, 'utf8'))
    const [, found, state] = /\((.*)\) (.)/.exec(await readFile(`/proc/${pid}/stat`, 'utf8')) ?? []
    return found === name && state !== 'Z' ? pid : undefined
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined
    throw error
  }
}
