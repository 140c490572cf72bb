// A supervisor as far as a client can tell: serves the control protocol on fd 3, as `instance` (first argument).
//   ping      answers          deaths   dies without an answer          start    dies without an answer
//   status    never answers    events   10,000 at once                  logs     two lines, then dies
import { writeSync } from 'node:fs'
import { type Follower, serveControl } from '../../src/supervisor/control-server.ts'
import { systemClock } from '../../src/system/clock.ts'
import { HermesError } from '../../src/system/errors.ts'
import { aSlot, handlers } from '../supervisor/control-handlers.ts'

const instance = process.argv[2] ?? ''
const die = (): never => process.exit(1)
const flooded = Promise.withResolvers<{ steps: readonly string[] }>()
/** 20 MB, a little at a time, so that a client that reads gets everything. */
function flood(follower: Follower, sent: number): void {
  if (sent < 2000) {
    follower.send({ slot: 'flood', lines: ['x'.repeat(10_000)] })
    setImmediate(() => flood(follower, sent + 1))
  } else {
    flooded.resolve({ steps: [] })
    follower.send({ slot: 'flood', lines: ['end'] })
  }
}
serveControl({
  fd: 3,
  clock: systemClock(),
  warn: (text) => writeSync(2, `${text}\n`),
  handlers: handlers({
    ping: () => ({ instance, pid: process.pid }),
    status: () => new Promise(() => undefined),
    start: die,
    deaths: die,
    stop: () => {
      throw new HermesError('NO_SUCH_SLOT', 'no slot "gateway-x"', { next: 'hermes status lists them' })
    },
    events: (_request, follower) => {
      setImmediate(() => {
        for (let i = 0; i < 10_000; i++)
          follower.send({ type: 'slot', at: aSlot.since, slot: { ...aSlot, restarts: i } })
      })
      return {}
    },
    // Answered when the flood of `logs` is over.
    reconcile: () => flooded.promise,
    logs: ({ slots }, follower) => {
      if (slots[0] === 'flood') {
        flood(follower, 0)
        return {}
      }
      setImmediate(() => {
        follower.send({ slot: slots[0] ?? '', lines: ['one', 'two'] })
        setImmediate(die)
      })
      return {}
    },
  }),
})
writeSync(1, 'serving\n')
