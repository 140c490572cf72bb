import { hostname } from 'node:os'
import { join } from 'node:path'
import { asHelper, type HelperFacts, helperLog } from '../../control/helper-program.ts'
import { readIdentity } from '../../kanban/nodes/identity.ts'
import { ConfigCache } from '../../profile/config/config.ts'
import { readDotEnv } from '../../profile/environment/environment.ts'
import { FORWARDER } from '../../profile/names.ts'
import { inTime, pause } from '../../system/clock.ts'
import { EXIT, HermesError } from '../../system/errors.ts'
import { sendBatch } from '../send/send.ts'
import { openForwardStore } from '../store/store.ts'
import { runCourier } from './courier.ts'

/** Exports of this program's bundle; the command line loads it on demand. */
export interface ForwarderBundle {
  forwarderProgram(facts: HelperFacts): Promise<number>
}

const LOOK_MS = 1000
/** Shorter than the slot's stop time-out, after which it is killed. */
const DRAIN_MS = 5000

/** Runs until TERM, INT, HUP or QUIT. @returns the exit code */
export async function runForwarder(facts: HelperFacts): Promise<number> {
  const { home, clock, env } = facts
  const log = helperLog(FORWARDER, facts)
  if (env.HERMES_SLOT !== FORWARDER)
    throw new HermesError('REFUSED', 'the forwarder runs in its slot, which starts with the first target', {
      next: 'set forward in the config.yaml of the default profile; "hermes forward list" shows what it does',
    })
  const store = openForwardStore(home, (text) => log('warn', text))
  const config = new ConfigCache(({ config: { forward } }) => forward)
  const targets = () => config.of(join(home, 'config.yaml'))
  const node = nodeName(home)
  const looking = new AbortController()
  const sending = new AbortController()
  const couriers = new Map<string, Promise<void>>()
  const { promise: broken, reject: breakDown } = Promise.withResolvers<never>()
  const startNew = (): void => {
    for (const { name } of targets()) {
      if (couriers.has(name)) continue
      const courier = runCourier(
        name,
        {
          home,
          node,
          clock,
          store,
          log,
          target: () => targets().find((one) => one.name === name),
          send(target, batch) {
            // Read now, so that a new address counts from the next attempt.
            const { variables } = readDotEnv(join(home, '.env'))
            return sendBatch(target, batch, { home, env: { ...variables, ...env }, clock, signal: sending.signal })
          },
        },
        looking.signal,
      )
      couriers.set(
        name,
        courier.then(() => void couriers.delete(name), breakDown),
      )
    }
  }
  try {
    return await asHelper(FORWARDER, facts, async ({ stopped, ready }) => {
      startNew()
      ready()
      log('info', `ready, with ${targets().length} target(s)`)
      const ended = stopped.then(() => looking.abort())
      while (!looking.signal.aborted) {
        await Promise.race([pause(clock, LOOK_MS, looking.signal), ended, broken])
        if (!looking.signal.aborted) startNew()
      }
      const done = Promise.all(couriers.values())
      if (!(await inTime(clock, DRAIN_MS, done))) {
        sending.abort()
        await done
      }
      return EXIT.done
    })
  } finally {
    looking.abort()
    sending.abort()
    await Promise.all(couriers.values())
    store.close()
  }
}

/** The name of the node or, where it has none, of the machine. */
function nodeName(home: string): string {
  try {
    return readIdentity(home)?.name ?? hostname()
  } catch (error) {
    if (!(error instanceof HermesError)) throw error
    return hostname()
  }
}
