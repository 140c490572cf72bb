import type { SlotStatus } from '../../../src/protocol/control.ts'
import type { Handlers } from '../../../src/supervisor/control/server.ts'

export const aSlot: SlotStatus = {
  slot: 'gateway-a',
  profile: 'a',
  state: 'up',
  wanted: 'up',
  ready: true,
  pid: 1,
  since: '2026-11-22T12:15:18.810Z',
  restarts: 0,
  log: '/log/current',
}

const nobody = (): never => {
  throw new Error('this test does not answer it')
}
/** Handlers of which a test writes those it needs; the rest are bugs when they are called. */
export const handlers = (some: Partial<Handlers>): Handlers => ({
  ping: () => ({ instance: 'test', pid: 42 }),
  status: nobody,
  alive: nobody,
  start: nobody,
  stop: nobody,
  restart: nobody,
  signal: nobody,
  reconcile: nobody,
  'reload-services': nobody,
  unwall: nobody,
  register: nobody,
  unregister: nobody,
  deaths: nobody,
  events: () => ({}),
  logs: () => ({}),
  job: nobody,
  'job-result': nobody,
  'node-lease': nobody,
  'job-take': nobody,
  ...some,
})
