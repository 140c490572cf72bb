/** The built-in agent does one task of the board: prompt on stdin, answer on stdout. */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { loadConfig } from '../profile/config/config.ts'
import type { Clock } from '../system/clock.ts'
import { EXIT } from '../system/errors.ts'
import type { Environment } from '../system/programs/install.ts'
import { warningLine } from '../system/text/foreign-text.ts'
import { AgentError, answerText, notConfigured } from './agent/agent.ts'
import { configureAgent } from './agent/configure.ts'

export interface WorkerFacts {
  readonly profile: string
  readonly dir: string
  readonly env: Environment
  readonly clock: Clock
  readonly out: (text: string) => void
  readonly err: (text: string) => void
}

/** Too many requests (RFC 6585). */
const TOO_MANY = 429

/** Exports of this program's bundle; the command line loads it on demand. */
export interface WorkerBundle {
  workerProgram(facts: WorkerFacts): Promise<number>
}

/** @returns the exit code: 75 when the endpoint refuses for now, which does not count as a failure of the task */
export async function runWorker({ profile, dir, env, clock, out, err }: WorkerFacts): Promise<number> {
  const file = join(dir, 'config.yaml')
  const agent = configureAgent({ config: loadConfig(file).config.agent, profileDir: dir, environment: env, clock })
  if (agent === null) throw notConfigured(profile, file)
  const prompt = readFileSync(0, 'utf8')
  const session = env.HERMES_KANBAN_TASK
  try {
    const answer = await answerText(agent, {
      messages: [{ role: 'user', content: prompt }],
      ...(session ? { session } : {}),
      onCut: (why) => err(warningLine(why)),
    })
    out(`${answer.trimEnd()}\n`)
    return EXIT.done
  } catch (error) {
    if (!(error instanceof AgentError) || error.upstream?.status !== TOO_MANY) throw error
    err(`hermes: ${error.message}\n`)
    return EXIT.restartMe
  }
}
