// A part of the notifier: it observes parked slots, and sends what is due. It kills itself at one point.
// node killed-notifier.ts HOME URL SLOT,… POINT

import { openOutbox } from '../../../../src/notify/outbox/outbox.ts'
import { Courier } from '../../../../src/notify/program/courier.ts'
import { send } from '../../../../src/notify/send/send.ts'
import { type SlotMemory, watchSlot } from '../../../../src/notify/slot-watch.ts'
import type { NotifyTarget } from '../../../../src/profile/config/kinds/notify-kinds.ts'
import { systemClock } from '../../../../src/system/clock.ts'

const [home = '', url = '', slots = '', point = ''] = process.argv.slice(2)
const clock = systemClock()
const outbox = openOutbox(home, (text) => process.stderr.write(`${text}\n`))
const target: NotifyTarget = {
  name: 'ops',
  to: 'webhook',
  address: { value: url },
  secretEnv: null,
  events: ['parked'],
  profiles: null,
}

/** KILL cannot be caught, and takes effect before the call returns. */
function at(name: string): void {
  if (name === point) process.kill(process.pid, 'SIGKILL')
}

const since = '2026-01-01T00:00:00.000Z'
const known = outbox.notes('slot:')
for (const slot of slots.split(',')) {
  const memory = known.get(slot) as SlotMemory | undefined
  const look = watchSlot(memory, { slot, state: 'parked', wanted: 'up', since }, clock.wallMs())
  at('observed')
  outbox.observe(
    [{ subject: `slot:${slot}`, value: look.memory }],
    look.observed === undefined ? [] : [look.observed],
    [target],
    { wallMs: clock.wallMs(), node: undefined },
  )
}
at('kept')
const { env } = process
const { signal } = new AbortController()
const courier = new Courier({
  outbox: {
    take(...args) {
      const letter = outbox.take(...args)
      at('taken')
      return letter
    },
    settle(...args) {
      at('sent')
      outbox.settle(...args)
      at('settled')
    },
  },
  clock,
  node: undefined,
  targets: () => [target],
  send: (to, { notification }) => send(to, notification, { home, env, clock, signal }),
  log: () => undefined,
  failed(error) {
    throw error
  },
})
courier.run()
await courier.done()
outbox.close()
