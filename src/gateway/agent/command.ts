import type { Readable } from 'node:stream'
import type { Clock } from '../../system/clock.ts'
import { type ChildEnding, childEnding } from '../../system/native/child-ending.ts'
import { lookAt, placesOf } from '../../system/programs/look.ts'
import { signalTree } from '../../system/programs/proc.ts'
import { signalName } from '../../system/signals.ts'
import { type Agent, AgentError, cancelled, isAborted, type Question } from './agent.ts'
import type { ProgramNative } from './pipes.ts'
import { promptText } from './prompt.ts'
import { cannotStart, spawnPiped } from './spawn.ts'
import { makeUsageFile, USAGE_FILE } from './usage-file.ts'

export interface CommandFacts {
  /** The list from agent.command in config.yaml; at least one element. */
  readonly argv: readonly string[]
  /** Working directory of the program: the profile's directory. */
  readonly cwd: string
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly clock: Clock
  /** Longest wait for output, ms. */
  readonly silenceMs: number
  /** Makes real pipes; without it socket pairs serve, which a program cannot open again as /dev/stdout (ENXIO). */
  readonly native?: () => Promise<ProgramNative | undefined>
}

/** Longest answer that is taken from a program. */
export const MAX_OUTPUT_BYTES = 4 * 1024 * 1024
/** Bytes of stderr output, from its end, that are shown when the program fails. */
const STDERR_TAIL_BYTES = 2000
/** Time from TERM to KILL for a program whose answer is no longer wanted. */
const KILL_AFTER_MS = 2000
/**
 * A background process of the program may keep its stdout or stderr open indefinitely: stop reading this long after the
 * program has ended and nothing more has come.
 */
const DRAIN_AFTER_EXIT_MS = 1000

type Ending = ChildEnding | { readonly cannotStart: NodeJS.ErrnoException }

/**
 * An agent that is a program: the prompt as an argument or on stdin, the answer on stdout, exit 0. One process per
 * answer.
 */
export function commandAgent(facts: CommandFacts): Agent {
  return { kind: 'command', model: null, answer: (question) => run(facts, question) }
}

async function* run(facts: CommandFacts, question: Question): AsyncGenerator<string, void, undefined> {
  if (isAborted(question.signal)) throw cancelled()
  const usageFile = question.onUsage === undefined ? undefined : makeUsageFile()
  try {
    yield* answerOf(facts, question, {
      ...(question.session === undefined ? {} : { HERMES_SESSION: question.session }),
      ...(usageFile === undefined ? {} : { [USAGE_FILE]: usageFile.path }),
    })
    const report = usageFile?.read()
    if (report !== undefined) question.onUsage?.(report)
  } finally {
    usageFile?.remove()
  }
}

async function* answerOf(
  facts: CommandFacts,
  question: Question,
  variables: Readonly<Record<string, string>>,
): AsyncGenerator<string, void, undefined> {
  const prompt = promptText(question.messages)
  const program = start(facts, prompt, variables, await facts.native?.())
  const giveUp = (): void => void program.end()
  question.signal?.addEventListener('abort', giveUp)
  // It may have been given up while the pipes were being made.
  if (isAborted(question.signal)) giveUp()
  const decoder = new TextDecoder()
  // Programs end their output with a newline; it is part of the answer only if more output follows.
  let held = ''
  let size = 0
  let empty = true
  try {
    for await (const chunk of program.output()) {
      size += chunk.length
      if (size > MAX_OUTPUT_BYTES) {
        throw new AgentError('too-long', `${program.name} wrote more than ${MAX_OUTPUT_BYTES} bytes and was stopped`)
      }
      const text = held + decoder.decode(chunk, { stream: true })
      const piece = text.replace(/[\r\n]+$/, '')
      held = text.slice(piece.length)
      if (piece === '') continue
      empty = empty && piece.trim() === ''
      yield piece
    }
    const ending = await program.ended
    if (isAborted(question.signal)) throw cancelled()
    if (!isSuccess(ending)) throw failureOf(program.name, facts, ending, await program.stderrTail(ending))
    if (empty) throw new AgentError('empty', `${program.name} ended without writing an answer on stdout`)
  } finally {
    question.signal?.removeEventListener('abort', giveUp)
    await program.end()
    program.close()
  }
}

interface RunningProgram {
  readonly name: string
  readonly ended: Promise<Ending>
  output(): AsyncGenerator<Buffer, void, undefined>
  /** The end of its stderr, once all that it wrote there has been read. */
  stderrTail(ending: Ending): Promise<string>
  /** TERM to it and what it started, KILL if it does not obey. Resolves when it is gone. */
  end(): Promise<void>
  close(): void
}

function start(
  facts: CommandFacts,
  prompt: string,
  variables: Readonly<Record<string, string>>,
  native: ProgramNative | undefined,
): RunningProgram {
  const { argv, cwd, clock, silenceMs } = facts
  const asArgument = argv.some((argument) => argument.includes('{prompt}'))
  const [command = '', ...args] = argv.map((argument) => argument.replaceAll('{prompt}', () => prompt))
  const environment = { ...facts.environment, ...variables }
  const name = `the agent's program ${command}`
  const options = { cwd, environment, asArgument }
  const { child, stdin, stdout, stderr } = spawnPiped(name, [command, ...args], options, native?.pipe)
  let gone = false
  const ended = new Promise<Ending>((resolve) => {
    child.once('error', (error) => resolve({ cannotStart: error }))
    void childEnding(child, native).then(resolve)
  }).finally(() => {
    gone = true
  })
  // A program may end, or answer, without reading all of the prompt: EPIPE is its right.
  stdin?.on('error', () => undefined)
  stdin?.end(prompt)
  let tail: Buffer = Buffer.alloc(0)
  stderr.on('data', (chunk: Buffer) => {
    tail = Buffer.concat([tail, chunk]).subarray(-STDERR_TAIL_BYTES)
  })
  stderr.on('error', () => undefined)
  const stderrClosed = new Promise<void>((resolve) => stderr.once('close', resolve))
  return {
    name,
    ended,
    output: () => outputOf(stdout, ended, clock, silenceMs, command),
    async stderrTail(ending) {
      // Its end and its streams are independent of each other: the end may be known first.
      if (!('cannotStart' in ending)) await raceSilence(stderrClosed, undefined, clock, DRAIN_AFTER_EXIT_MS)
      return tail.toString('utf8').trim()
    },
    async end() {
      if (gone || child.pid === undefined) return
      signalTree(child.pid, 'SIGTERM')
      const kill = clock.at(clock.nowMs() + KILL_AFTER_MS, () => {
        if (!gone && child.pid !== undefined) signalTree(child.pid, 'SIGKILL')
      })
      await ended
      kill()
    },
    close() {
      for (const stream of [stdin, stdout, stderr]) stream?.destroy()
    },
  }
}

/** Chunks of stdout until it ends, or the program has ended and whatever it left behind stays silent. */
async function* outputOf(
  stdout: Readable,
  ended: Promise<Ending>,
  clock: Clock,
  silenceMs: number,
  command: string,
): AsyncGenerator<Buffer, void, undefined> {
  const chunks = stdout[Symbol.asyncIterator]() as AsyncIterator<Buffer>
  let over = false
  const exited = ended.then(() => {
    over = true
  })
  while (true) {
    const next = chunks.next()
    next.catch(() => undefined) // if another promise wins the race, this one's rejection is not handled otherwise
    let chunk = await raceSilence(next, over ? undefined : exited, clock, over ? DRAIN_AFTER_EXIT_MS : silenceMs)
    if (chunk === 'exited') chunk = await raceSilence(next, undefined, clock, DRAIN_AFTER_EXIT_MS)
    if (chunk === 'silent') {
      if (over) return
      throw new AgentError('silent', `the agent's program ${command} wrote nothing for ${silenceMs / 1000} s`, {
        next: 'HERMES_AGENT_TIMEOUT (seconds) allows more',
      })
    }
    if (chunk === 'exited' || chunk.done === true) return
    yield chunk.value
  }
}

/** @returns `silent` after so long; what has come by then counts, also where this process was kept from reading it */
async function raceSilence<T>(
  next: Promise<T>,
  exited: Promise<void> | undefined,
  clock: Clock,
  waitMs: number,
): Promise<T | 'exited' | 'silent'> {
  const alarm = Promise.withResolvers<'silent'>()
  // Alarms come before input in a turn of the loop, and this turn may be late: one more look at the input.
  const cancel = clock.at(clock.nowMs() + waitMs, () => afterInput(() => alarm.resolve('silent')))
  try {
    return await Promise.race([
      next,
      alarm.promise,
      ...(exited === undefined ? [] : [exited.then((): 'exited' => 'exited')]),
    ])
  } finally {
    cancel()
  }
}

/** Calls it when the loop has been through all input that is there now. */
const afterInput = (call: () => void): void => void setImmediate(() => setImmediate(call))

const isSuccess = (ending: Ending): boolean => 'exitCode' in ending && ending.exitCode === 0

function failureOf(name: string, facts: CommandFacts, ending: Ending, stderr: string): AgentError {
  const output = stderr === '' ? '' : `; its output: ${stderr}`
  if ('signal' in ending)
    return new AgentError('failed', `${name} was killed by SIG${signalName(ending.signal)}${output}`)
  if ('exitCode' in ending) return new AgentError('failed', `${name} exited with code ${ending.exitCode}${output}`)
  return cannotStart(name, whyNotStarted(facts, ending.cannotStart), ending.cannotStart)
}

function whyNotStarted({ argv, cwd, environment }: CommandFacts, { code, message }: NodeJS.ErrnoException): string {
  if (code !== 'ENOENT' && code !== 'EACCES') return message
  const [command = ''] = argv
  const seen = placesOf(command, { path: environment.PATH ?? '', cwd }).map(lookAt)
  // A directory that may not be searched makes EACCES of a program that is nowhere (execvp(3)).
  if (code === 'EACCES' && seen.some((one) => typeof one === 'object')) return 'it is not executable'
  return command.includes('/') && seen[0] === 'hidden'
    ? 'this user may not enter one of its directories'
    : `no such program on PATH (or no directory ${cwd})`
}
