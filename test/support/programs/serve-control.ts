// A supervisor as far as a client can tell: serves the control protocol on fd 3, as `instance` (first argument).
//   ping      answers          deaths   dies without an answer          start    dies without an answer
//   status    never answers    events   10,000 at once                  logs     two lines, then dies
import { writeSync } from 'node:fs'
import { serveControl } from '../../../src/supervisor/control/server.ts'
import { systemClock } from '../../../src/system/clock.ts'
import { HermesError } from '../../../src/system/errors.ts'
import { aSlot, handlers } from '../../supervisor/control/handlers.ts'

const instance = process.argv[2] ?? ''
const die = (): never => process.exit(1)
// The test that started it is gone: so is the reason to be here.
process.stdin.on('end', die).resume()
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
    logs: ({ slots }, follower) => {
      setImmediate(() => {
        follower.send({ slot: slots[0] ?? '', lines: ['one', 'two'] })
        setImmediate(die)
      })
      return {}
    },
  }),
})
writeSync(1, 'serving\n')
