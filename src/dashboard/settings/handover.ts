import { readFileSync, writeFileSync } from 'node:fs'
import { Socket } from 'node:net'
import {
  HANDOVER_VARIABLE,
  type Handover,
  type Keep,
  type Kept,
  type KeptText,
  type Look,
  type Looked,
} from '../../protocol/handover.ts'
import type { RuntimeIdentity } from '../../protocol/start-up.ts'
import { MAIN_MARKER, SUPERVISED_MARKER } from '../../system/markers.ts'
import { OOM_SCORE } from '../../system/programs/oom.ts'

/** The data that init has handed over, and a way to have init keep data on the disk. */
export interface Handed extends Pick<Handover, 'secrets' | 'kept' | 'keyFile'> {
  /** @throws Error with the reason why it is not on the disk */
  keep(name: KeptText, text: string): Promise<void>
  /** Reads the hashes of the API tokens again. @param stamp of those that are known. Never throws */
  look(stamp: string | undefined): Promise<Looked>
}

export interface HandoverFacts {
  /** Our environment; it is set to init's values. */
  readonly env: Record<string, string | undefined>
  /** Gives root up. @throws Error with one line for people */
  readonly become: (identity: RuntimeIdentity, restricted: boolean) => void
}

/**
 * Takes what init hands over, and becomes the runtime user before it looks at anything else.
 * @throws Error with one line for people
 */
export async function receiveHandover({ env, become }: HandoverFacts): Promise<Handed> {
  const fd = Number(env[HANDOVER_VARIABLE])
  const socket = new Socket({ fd, readable: true, writable: true })
  const lines = linesOf(socket)
  const { value } = await lines.next()
  if (value === undefined)
    throw new Error(`nothing was handed over on descriptor ${fd}; unset ${HANDOVER_VARIABLE}, which init sets`)
  const { identity, restricted = false, env: given, cwd, ...handed } = JSON.parse(value) as Handover
  if (given[SUPERVISED_MARKER] === '1') raiseOomScore()
  if (identity !== undefined) become(identity, restricted)
  delete env[HANDOVER_VARIABLE]
  Object.assign(env, given)
  if (given[SUPERVISED_MARKER] !== '1') env[MAIN_MARKER] = String(process.pid)
  if (cwd !== undefined) process.chdir(cwd)
  // The line must not keep a command alive that has nothing more to do.
  socket.unref()
  let last: Promise<unknown> = Promise.resolve()
  /** undefined: init does not answer any more. */
  const ask = <T>(question: Keep | Look): Promise<T | undefined> => {
    const answer = last.then(async () => {
      socket.ref()
      socket.write(`${JSON.stringify(question)}\n`)
      const { done, value } = await lines.next()
      socket.unref()
      return done ? undefined : (JSON.parse(value) as T)
    })
    last = answer.catch(() => undefined)
    return answer
  }
  return {
    ...handed,
    async keep(name, text) {
      const { problem } = (await ask<Kept>({ type: 'keep', name, text })) ?? { problem: SILENT }
      if (problem !== undefined) throw new Error(problem)
    },
    look: async (stamp) =>
      (await ask<Looked>({ type: 'look', ...(stamp !== undefined && { stamp }) })) ?? {
        type: 'looked',
        problem: SILENT,
      },
  }
}

const SILENT = 'init does not answer'

async function* linesOf(socket: Socket): AsyncGenerator<string, undefined> {
  let rest = ''
  socket.setEncoding('utf8')
  try {
    for await (const chunk of socket) {
      const lines = (rest + chunk).split('\n')
      rest = lines.pop() ?? ''
      yield* lines
    }
  } catch {
    // ECONNRESET: as good as an end, which the caller sees.
  }
  return undefined
}

/**
 * Before the change of uid, because afterwards the file belongs to root. Best effort: a container may hide or forbid
 * it.
 */
function raiseOomScore(): void {
  const file = '/proc/self/oom_score_adj'
  try {
    writeFileSync(file, String(Math.min(1000, Number(readFileSync(file, 'latin1')) + OOM_SCORE)))
  } catch {
    // Ignored, as explained above.
  }
}
