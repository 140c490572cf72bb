import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync } from 'node:fs'
import { Socket } from 'node:net'
import type { Readable, Writable } from 'node:stream'
import { AgentError } from './agent.ts'

/** @returns [read end, write end] */
export type MakePipe = (options: { nonblockingRead: boolean }) => readonly [number, number]

export interface SpawnOptions {
  readonly cwd: string
  readonly environment: Readonly<Record<string, string | undefined>>
  /** The prompt is an argument, so standard input is /dev/null. */
  readonly asArgument: boolean
}

export interface Piped {
  readonly child: ChildProcess
  readonly stdin: Writable | null
  readonly stdout: Readable
  readonly stderr: Readable
}

/**
 * Starts a program with pipes of our own.
 * @param name how messages call it
 * @throws AgentError where Node throws; most failures of spawn come as the child's `error` event
 */
export function spawnPiped(
  name: string,
  args: readonly string[],
  options: SpawnOptions,
  pipe: MakePipe | undefined,
): Piped {
  try {
    return plainSpawn(args, options, pipe)
  } catch (error) {
    throw startError(name, error)
  }
}

function plainSpawn(
  [command = '', ...args]: readonly string[],
  { cwd, environment, asArgument }: SpawnOptions,
  pipe: MakePipe | undefined,
): Piped {
  const options = { cwd, env: environment as NodeJS.ProcessEnv }
  if (pipe === undefined) {
    const child = spawn(command, args, { ...options, stdio: [asArgument ? 'ignore' : 'pipe', 'pipe', 'pipe'] })
    // Both pipes were requested above.
    return { child, stdin: child.stdin, stdout: child.stdout as Readable, stderr: child.stderr as Readable }
  }
  const { out, err, input } = makePipes(pipe, asArgument)
  const streams = {
    stdin: input === undefined ? null : new Socket({ fd: input[1], readable: false, writable: true }),
    stdout: new Socket({ fd: out[0], readable: true, writable: false }),
    stderr: new Socket({ fd: err[0], readable: true, writable: false }),
  }
  try {
    return { child: spawn(command, args, { ...options, stdio: [input?.[0] ?? 'ignore', out[1], err[1]] }), ...streams }
  } catch (error) {
    for (const stream of Object.values(streams)) stream?.destroy()
    throw error
  } finally {
    for (const fd of [out[1], err[1], input?.[0]]) if (fd !== undefined) closeSync(fd)
  }
}

/** Makes all pipes or none: if one fails, those already made are closed. */
function makePipes(pipe: MakePipe, asArgument: boolean) {
  const made: number[] = []
  const make = (nonblockingRead: boolean): ReturnType<MakePipe> => {
    const ends = pipe({ nonblockingRead })
    made.push(...ends)
    return ends
  }
  try {
    return { out: make(true), err: make(true), input: asArgument ? undefined : make(false) }
  } catch (error) {
    for (const fd of made) closeSync(fd)
    throw error
  }
}

function startError(name: string, error: unknown): AgentError {
  const { code, message } = error as NodeJS.ErrnoException
  if (code === 'E2BIG') {
    return new AgentError('bad-question', `the prompt is too long for an argument of ${name}`, {
      next: 'remove {prompt} from agent.command; the prompt is then passed on stdin, at any length',
      cause: error,
    })
  }
  if (code === 'ERR_INVALID_ARG_VALUE') {
    return new AgentError('bad-question', `the prompt contains a NUL byte, so it cannot be an argument of ${name}`, {
      cause: error,
    })
  }
  return cannotStart(name, message, error)
}

export const cannotStart = (name: string, why: string, cause: unknown): AgentError =>
  new AgentError('misconfigured', `${name} cannot be started: ${why}`, {
    next: 'check agent.command in config.yaml',
    cause,
  })
