import { type ChildProcessByStdio, type SpawnOptions, spawn } from 'node:child_process'
import type { Readable } from 'node:stream'
import type { Clock } from '../../system/clock.ts'
import { MAX_SECRET_BYTES } from '../../system/files/secret-file.ts'
import { childEnding } from '../../system/native/child-ending.ts'
import { signalTree } from '../../system/programs/proc.ts'
import { shellWord } from '../../system/programs/sh-environment.ts'
import { signalName } from '../../system/signals.ts'
import { spanText } from '../../system/text/span.ts'

export interface SecretCommand {
  readonly command: readonly string[]
  readonly timeoutMs: number
  /** Its working directory. */
  readonly dir: string
  readonly env: Readonly<Record<string, string | undefined>>
  readonly clock: Clock
}

/** Output of a command, with the problem if it failed. `stderr`: its beginning; it may contain the secret. */
export type CommandOutput =
  | { readonly output: Buffer; readonly problem?: undefined }
  | { readonly output: Buffer; readonly problem: string; readonly stderr: string }

/** Bytes of its standard error that are kept: the first line is all that is shown. */
const MAX_STDERR_BYTES = 4096
/** Longest text of a command in a message. */
const MAX_SHOWN = 120
/** After its end, processes that it has left behind may hold its output open. */
const DRAIN_MS = 250

/** The command as a shell would take it, cut to a length for a message. */
export function commandText(command: readonly string[]): string {
  const text = command.map(shellWord).join(' ')
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN - 1)}…` : text
}

/**
 * Runs a command that prints a secret, without standard input. It stays in our process group, so that it ends with the
 * slot; when its time is over it is killed with everything below it. Never rejects.
 */
export async function runSecretCommand({ command, timeoutMs, dir, env, clock }: SecretCommand): Promise<CommandOutput> {
  const [program = '', ...args] = command
  const name = commandText(command)
  const child = start(program, args, { cwd: dir, env })
  if (child instanceof Error) return { output: Buffer.alloc(0), problem: `${name} ${startProblem(child)}`, stderr: '' }
  const stdout = collect(child.stdout, MAX_SECRET_BYTES)
  const stderr = collect(child.stderr, MAX_STDERR_BYTES)
  const failed = (problem: string): CommandOutput => ({
    output: stdout.bytes(),
    problem: `${name} ${problem}`,
    stderr: stderr.bytes().toString('utf8'),
  })
  const unstarted = Promise.withResolvers<string>()
  child.once('error', (error: NodeJS.ErrnoException) => unstarted.resolve(startProblem(error)))
  const late = Promise.withResolvers<'late'>()
  const cancel = clock.at(clock.nowMs() + timeoutMs, () => late.resolve('late'))
  const kill = (): void => {
    if (child.pid !== undefined && child.exitCode === null && child.signalCode === null)
      signalTree(child.pid, 'SIGKILL')
  }
  const ended = childEnding(child, undefined)
  const how = await Promise.race([ended, unstarted.promise, late.promise, stdout.overflow])
  cancel()
  kill()
  if (typeof how !== 'object') {
    child.stdout.destroy()
    child.stderr.destroy()
    if (how === 'late') return failed(`has not ended within ${spanText(timeoutMs)} and was killed`)
    return how === 'overflow' ? failed(`prints more than ${MAX_SECRET_BYTES} bytes`) : failed(how)
  }
  await drained(clock, [stdout, stderr])
  child.stdout.destroy()
  child.stderr.destroy()
  if ('signal' in how) return failed(`was killed by SIG${signalName(how.signal)}`)
  if (how.exitCode !== 0) return failed(`exited with ${how.exitCode}`)
  const output = stdout.bytes()
  return output.length > MAX_SECRET_BYTES ? failed(`prints more than ${MAX_SECRET_BYTES} bytes`) : { output }
}

type Piped = ChildProcessByStdio<null, Readable, Readable>
function start(program: string, args: readonly string[], options: Pick<SpawnOptions, 'cwd' | 'env'>): Piped | Error {
  try {
    const child = spawn(program, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] })
    // Without a descriptor left there are no pipes, whatever the types say.
    if (child.stdout) return child as Piped
    child.on('error', () => undefined)
    return Object.assign(new Error('no descriptor is left'), { code: 'EMFILE' })
  } catch (error) {
    return error as Error // such as E2BIG
  }
}

function startProblem(error: NodeJS.ErrnoException): string {
  if (error.code === 'ENOENT') return 'was not found'
  return error.code === 'EACCES' ? 'may not be executed' : `cannot be started (${error.code ?? error.message})`
}

interface Collected {
  readonly bytes: () => Buffer
  readonly ended: Promise<void>
  readonly overflow: Promise<'overflow'>
}

/** Keeps the beginning of a stream; reads on to its end, so that its writer is not stopped. */
function collect(stream: Readable, maxBytes: number): Collected {
  const chunks: Buffer[] = []
  let length = 0
  const ended = Promise.withResolvers<void>()
  const overflow = Promise.withResolvers<'overflow'>()
  stream.on('data', (chunk: Buffer) => {
    if (length <= maxBytes) chunks.push(chunk)
    length += chunk.length
    if (length > maxBytes) overflow.resolve('overflow')
  })
  stream.on('error', () => ended.resolve())
  stream.on('close', () => ended.resolve())
  return { bytes: () => Buffer.concat(chunks), ended: ended.promise, overflow: overflow.promise }
}

/** Waits for the end of the streams, or until nothing more comes although another process holds them open. */
async function drained(clock: Clock, streams: readonly Collected[]): Promise<void> {
  let isOver = false
  const all = Promise.all(streams.map(({ ended }) => ended)).then(() => {
    isOver = true
  })
  const size = (): number => streams.reduce((sum, { bytes }) => sum + bytes().length, 0)
  for (let before = -1; !isOver && before !== size(); ) {
    before = size()
    const pause = Promise.withResolvers<void>()
    const cancel = clock.at(clock.nowMs() + DRAIN_MS, pause.resolve)
    await Promise.race([all, pause.promise])
    cancel()
    // The loop has polled once more after the alarm: what was in the pipe at the end of its writer is read by now.
    await new Promise((resolve) => setImmediate(resolve))
  }
}
