import { mkdirSync, renameSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { POLL_MS, watchProfiles } from '../../../src/supervisor/reconcile/watch.ts'
import { systemClock } from '../../../src/system/clock.ts'
import { scratchDir } from '../../support/scratch.ts'
import { fakeClock } from '../../support/supervisor/fake-clock.ts'
import { waitFor } from '../../support/wait.ts'

let home: string
let profiles: string
beforeEach(() => {
  home = scratchDir('hermes-watch-')
  profiles = join(home, 'profiles')
  mkdirSync(profiles)
})

describe('the poll', () => {
  const polled = (): { clock: ReturnType<typeof fakeClock>; calls: () => number; close: () => void } => {
    const clock = fakeClock()
    let calls = 0
    const { close } = watchProfiles({
      home,
      clock,
      changed: () => {
        calls++
      },
      warn: (text) => expect.fail(text),
      events: false,
    })
    return { clock, calls: () => calls, close }
  }

  test('looks once after two seconds in any case: what happened since the boot looked may have been missed', () => {
    const { clock, calls } = polled()
    expect(calls()).toBe(0)
    clock.advance(POLL_MS)
    expect(calls()).toBe(1)
    clock.advance(POLL_MS * 10)
    expect(calls()).toBe(1)
  })

  test.each([
    ['a new profile', () => mkdirSync(join(profiles, 'new'))],
    ['one that is gone', () => rmdirSync(join(profiles, 'old'))],
    ['one that was renamed', () => renameSync(join(profiles, 'old'), join(profiles, 'older'))],
    ['profiles/ itself gone', () => rmSync(profiles, { recursive: true })],
    [
      'another directory in the place of profiles/',
      () => {
        renameSync(profiles, join(home, 'aside'))
        mkdirSync(join(profiles, 'old'), { recursive: true })
      },
    ],
  ])('sees %s within two seconds', (_what, change) => {
    mkdirSync(join(profiles, 'old'))
    const { clock, calls } = polled()
    clock.advance(POLL_MS)
    change()
    clock.advance(POLL_MS)
    expect(calls()).toBe(2)
  })

  test('says nothing about what gateways do inside their directories', () => {
    mkdirSync(join(profiles, 'old'))
    const { clock, calls } = polled()
    clock.advance(POLL_MS)
    writeFileSync(join(profiles, 'old', 'gateway_state.json'), '{}')
    clock.advance(POLL_MS)
    expect(calls()).toBe(1)
  })

  test('ends with close', () => {
    const { clock, calls, close } = polled()
    close()
    clock.advance(POLL_MS * 3)
    expect(calls()).toBe(0)
    expect(clock.alarms()).toEqual([])
  })
})

test('events come before the poll would see it, also after another directory has come in the place of profiles/', async () => {
  // Real events, and a poll that only this test rings.
  const real = systemClock()
  const polls: (() => void)[] = []
  let calls = 0
  const { close } = watchProfiles({
    home,
    clock: {
      ...real,
      at: (atMs, wake) => {
        if (atMs - real.nowMs() < POLL_MS - 100) return real.at(atMs, wake)
        polls.push(wake)
        return () => undefined
      },
    },
    changed: () => {
      calls++
    },
    warn: (text) => expect.fail(text),
  })
  let made = 0
  // The watch is set some time after the start: a profile a look until some are seen. More than the exchange itself
  // could call for.
  const seesNew = async (): Promise<void> => {
    const enough = calls + 5
    await waitFor('calls for new profiles', () => {
      mkdirSync(join(profiles, `p${made++}`))
      return calls >= enough
    })
  }
  await seesNew()
  renameSync(profiles, join(home, 'aside'))
  mkdirSync(profiles)
  for (const poll of polls.splice(0)) poll()
  await seesNew()
  close()
})
