import type { Clock } from '../system/clock.ts'

/** Signals that request a stop. */
export const STOPPING = ['TERM', 'INT', 'HUP', 'QUIT'] as const
/**
 * Without a listener, this signal ends a container whose main program we are. USR1 is blocked in every Node process
 * of ours (src/system/programs/own-node.ts).
 */
export const MEANINGLESS = 'SIGUSR2'
const A_DAY_MS = 86_400_000

export interface StopRequested {
  /** The first signal that requests a stop. Keeps the process alive until it arrives. */
  readonly first: Promise<NodeJS.Signals>
  /** The second one: do not wait any longer. */
  readonly second: Promise<NodeJS.Signals>
  forget(): void
}

/** Listens for TERM, INT, HUP and QUIT from now on; USR1 and USR2 do nothing. */
export function stopRequested(clock: Clock): StopRequested {
  const waiting: ((signal: NodeJS.Signals) => void)[] = []
  const next = (): Promise<NodeJS.Signals> => new Promise((resolve) => waiting.push(resolve))
  const [first, second] = [next(), next()]
  const listener = (signal: NodeJS.Signals): void => waiting.shift()?.(signal)
  const ignore = (): void => undefined
  for (const signal of STOPPING) process.on(`SIG${signal}`, listener)
  process.on(MEANINGLESS, ignore)
  // A signal listener alone does not keep Node's loop alive; an alarm does.
  let cancel = (): void => undefined
  const stayAlive = (): void => {
    cancel = clock.at(clock.nowMs() + A_DAY_MS, stayAlive)
  }
  stayAlive()
  return {
    first,
    second,
    forget: () => {
      cancel()
      for (const signal of STOPPING) process.off(`SIG${signal}`, listener)
      process.off(MEANINGLESS, ignore)
    },
  }
}
