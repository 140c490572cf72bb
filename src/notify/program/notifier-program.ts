import { join } from 'node:path'
import { connectControl } from '../../control/client.ts'
import { asHelper, type HelperFacts, type HelperLog, helperLog } from '../../control/helper-program.ts'
import { readIdentity } from '../../kanban/nodes/identity.ts'
import { findBoards } from '../../kanban/store/boards.ts'
import { ConfigCache } from '../../profile/config/config.ts'
import { readDotEnv } from '../../profile/environment/environment.ts'
import { NOTIFIER } from '../../profile/names.ts'
import { type Clock, inTime } from '../../system/clock.ts'
import { EXIT, HermesError } from '../../system/errors.ts'
import { openOutbox } from '../outbox/outbox.ts'
import { send } from '../send/send.ts'
import { Courier } from './courier.ts'
import { observers } from './observers.ts'

export type NotifierFacts = HelperFacts

/** Exports of this program's bundle; the command line loads it on demand. */
export interface NotifierBundle {
  notifierProgram(facts: NotifierFacts): Promise<number>
  readonly sendNow: typeof send
}

const LOOK_MS = 1000
/** Shorter than the slot's stop time-out, after which it is killed. */
const DRAIN_MS = 5000

/** Runs until TERM, INT, HUP or QUIT. @returns the exit code */
export async function runNotifier(facts: NotifierFacts): Promise<number> {
  const { home, paths, clock, env } = facts
  const log = helperLog(NOTIFIER, facts)
  if (env.HERMES_SLOT !== NOTIFIER)
    throw new HermesError('REFUSED', 'the notifier runs in its slot, which starts with the first target', {
      next: 'set notify in the config.yaml of the default profile; "hermes notify test NAME" sends a message',
    })
  const failed = onceEach((text) => log('warn', text))
  const outbox = openOutbox(home, (text) => log('warn', text))
  const config = new ConfigCache(({ config: { notify } }) => notify)
  const targets = () => config.of(join(home, 'config.yaml'))
  const node = nodeName(home)
  const ending = new AbortController()
  const courier = new Courier({
    outbox,
    clock,
    node,
    targets,
    send(target, { notification }) {
      // Read now, so that a new address counts from the next attempt.
      const { variables } = readDotEnv(join(home, '.env'))
      return send(target, notification, { home, env: { ...variables, ...env }, clock, signal: ending.signal })
    },
    log,
    failed,
  })
  const connect = () => connectControl(paths.controlSocket, clock)
  const boards = await findBoards({ home, env, runDir: paths.runDir, clock })
  const looking = new AbortController()
  try {
    return await asHelper(NOTIFIER, facts, async ({ stopped, ready }) => {
      const observe = observers({
        home,
        clock,
        boards,
        outbox,
        targets,
        connect,
        failed,
        keep(notes, observed) {
          outbox.observe(notes, observed, targets(), { wallMs: clock.wallMs(), node })
          if (observed.length > 0) courier.run()
        },
      })
      const following = observe.follow(looking.signal)
      const look = async (): Promise<void> => {
        await observe.poll()
        giveUpLate(outbox, clock, log, failed)
        courier.run()
        if (!looking.signal.aborted) clock.at(clock.nowMs() + LOOK_MS, () => void look().catch(failed))
      }
      const looks = look().catch(failed)
      ready()
      log('info', `ready, with ${targets().length} target(s)`)
      await stopped
      looking.abort()
      await Promise.all([following, looks])
      if (!(await inTime(clock, DRAIN_MS, courier.end()))) {
        ending.abort()
        await courier.end()
      }
      return EXIT.done
    })
  } finally {
    looking.abort()
    await boards.close()
    outbox.close()
  }
}

/** Of what fails again each second, one line is enough. @throws what is a bug */
function onceEach(warn: (text: string) => void): (error: unknown) => void {
  let last = ''
  return (error) => {
    if (!(error instanceof HermesError)) throw error
    if (error.message === last) return
    last = error.message
    warn(error.next === undefined ? error.message : `${error.message}; ${error.next}`)
  }
}

/** undefined: the boards are in the volume, or its file cannot be read, which the dispatcher reports. */
function nodeName(home: string): string | undefined {
  try {
    return readIdentity(home)?.name
  } catch (error) {
    if (!(error instanceof HermesError)) throw error
    return undefined
  }
}

function giveUpLate(
  outbox: ReturnType<typeof openOutbox>,
  clock: Clock,
  log: HelperLog,
  failed: (error: unknown) => void,
): void {
  try {
    const late = outbox.expire(clock.wallMs())
    if (late > 0) log('warn', `${late} message(s) are given up after 24 h; hermes notify list`)
  } catch (error) {
    failed(error)
  }
}
