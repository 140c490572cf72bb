import { expect, test } from 'vitest'
import { readAudit } from '../../../src/access/audit-read.ts'
import type { Request } from '../../../src/protocol/control.ts'
import { AuditTrail, changeOf } from '../../../src/supervisor/control/audit-trail.ts'
import { scratchDir } from '../../support/scratch.ts'
import { fakeClock } from '../../support/supervisor/fake-clock.ts'
import { waitFor } from '../../support/wait.ts'

const asked = (more: object): Request => ({ v: 1, id: 1, by: 'me', ...more }) as unknown as Request

test('a request is recorded in the words of the command; steps of a larger one, dry runs and readers are not', () => {
  const of = (more: object) => changeOf(asked(more), undefined)
  expect(of({ op: 'restart', slot: 'gateway-coder' })).toEqual({
    actor: 'me',
    via: 'cli',
    action: 'gateway restart',
    target: 'coder',
    result: 'done',
  })
  expect(of({ op: 'stop', slot: 'service-web' })).toMatchObject({ action: 'service stop', target: 'web' })
  expect(of({ op: 'start', slot: 'dashboard' })).toMatchObject({ action: 'dashboard start' })
  expect(of({ op: 'reload-services' })).toMatchObject({ action: 'service reload', target: null })
  for (const more of [
    { op: 'stop', slot: 'gateway-coder', keepDesired: true },
    { op: 'reload-services', dryRun: true },
    { op: 'status' },
    { op: 'restart', slot: 'gateway-coder', by: undefined },
  ])
    expect(of(more)).toBeUndefined()
  const failed = changeOf(asked({ op: 'start', slot: 'gateway-coder' }), { code: 'PARKED', message: 'a text' })
  expect(failed).toMatchObject({ result: 'parked' })
})

test("s6's tools are recorded as unknown, the first of a kind in a minute and then how many more", async () => {
  const home = scratchDir('trail-')
  const clock = fakeClock()
  const trail = new AuditTrail({ home, clock, warn: () => undefined })
  for (let i = 0; i < 500; i++) trail.s6('s6-svc -u', 'gateway-coder')
  trail.s6('s6-svc -d', 'gateway-coder')
  trail.s6('s6-svc -\u001b', 'gateway-coder')
  clock.advance(60_000)
  const entries = () => readAudit(home, {}, 50).entries
  await waitFor('four lines', () => entries().length === 4)
  expect(entries().map(({ actor, via, action, more }) => [actor, via, action, more])).toEqual([
    ['unknown', 's6', 's6-svc -u', undefined],
    ['unknown', 's6', 's6-svc -d', undefined],
    ['unknown', 's6', 's6-svc', undefined],
    ['unknown', 's6', 's6-svc -u', 499],
  ])
})
