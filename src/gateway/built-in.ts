import { join } from 'node:path'
import {
  type ConfigProblem,
  configProblemText,
  isBudgetProblem,
  isDispatchersProblem,
  loadConfig,
  type ProfileConfig,
} from '../profile/config/config.ts'
import { takePidFile } from '../profile/state/pid-file.ts'
import { EXIT, errorLine, HermesError } from '../system/errors.ts'
import { announceReady } from '../system/notify.ts'
import { warningLine } from '../system/text/foreign-text.ts'
import { redactor, secretsOf } from '../system/text/redact.ts'
import { type EventLog, openEventLog } from './event-log.ts'
import type { GatewayFacts } from './facts.ts'
import { type StopRequested, stopRequested } from './signals.ts'

/** Something the gateway serves. */
export interface Part {
  readonly name: string
  /** Refuses new work and finishes what is in progress; must end by itself before the deadline. */
  drain(timeoutMs: number): Promise<void>
  /** Drops everything at once; may be called after a drain. */
  close(): void
}

/** Starts one part. @throws HermesError with exit code 78 when its configuration is wrong */
export type StartPart = (facts: GatewayFacts, config: ProfileConfig, log: EventLog) => Promise<Part | undefined>

/**
 * The built-in gateway: ready by a newline on the notification fd, TERM drains and ends with 0.
 * @returns the exit code
 * @throws HermesError REFUSED when the profile's gateway runs already
 */
export async function runBuiltIn(facts: GatewayFacts, starters: readonly StartPart[]): Promise<number> {
  const stopped = stopRequested(facts.clock)
  try {
    return await runUntil(stopped, facts, starters)
  } finally {
    // Without this, its alarm would keep the process of a refused gateway alive.
    stopped.forget()
  }
}

async function runUntil(stopped: StopRequested, facts: GatewayFacts, starters: readonly StartPart[]): Promise<number> {
  const configFile = join(facts.dir, 'config.yaml')
  const { config, problems } = loadConfig(configFile)
  const fatal = problems.find(isFatal)
  if (fatal) throw configurationError(configProblemText(fatal))
  const warn = (text: string): void => facts.err(warningLine(text))
  const giveBack = takePidFile(facts.dir, facts.profile, warn)
  const log = openEventLog({
    dir: join(facts.dir, 'logs'),
    format: facts.env.LOG_FORMAT === 'json' ? 'json' : 'text',
    clock: facts.clock,
    warn,
    echo: facts.out,
    redact: redactor(secretsOf(facts.env)),
  })
  const say = log.logger.child({ component: 'gateway' })
  const parts: Part[] = []
  try {
    for (const problem of problems.filter((one) => !isDispatchersProblem(one)))
      say.warn(`${configProblemText(problem)}; the default is used`)
    for (const start of starters) {
      const part = await start(facts, config, log)
      if (part) parts.push(part)
    }
    const fd = readyFd(config)
    if (facts.supervised && fd !== undefined) announceReady(fd)
    say.info(`ready: profile ${facts.profile}, pid ${process.pid}`)
    const signal = await stopped.first
    say.info(`${signal}: draining`)
    await Promise.race([Promise.all(parts.map((part) => part.drain(config.gateway.stopTimeoutMs))), stopped.second])
    say.info('stopped')
    return EXIT.done
  } catch (error) {
    // Expected errors are one sentence; bugs are logged with their stack.
    if (error instanceof HermesError) say.fatal(errorLine(error))
    else say.fatal({ err: error }, 'cannot go on')
    throw error
  } finally {
    for (const part of parts) part.close()
    giveBack()
    await log.close()
  }
}

/**
 * Settings without which this gateway cannot run: a readable file and valid sections of its own. The supervisor
 * checks `gateway:`.
 */
const isFatal = (problem: ConfigProblem): boolean =>
  problem.key === '' || problem.key === 'agent' || problem.key.startsWith('agent.') || isBudgetProblem(problem)

/** Exit code 78 parks the slot: starting again would not help. */
export const configurationError = (text: string): HermesError =>
  new HermesError('FAILED', text, {
    exitCode: EXIT.configuration,
    next: 'hermes config edit, then hermes gateway start',
  })

/** The descriptor on which the supervisor expects the readiness notification. */
const readyFd = ({ gateway: { ready } }: ProfileConfig): number | undefined =>
  ready.by === 'auto' ? 3 : ready.by === 'fd' ? ready.fd : undefined
