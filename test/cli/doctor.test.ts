// doctor judges the supervisor's warnings by their subject, never by their text.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { supervisor } from '../../src/cli/checks/running.ts'
import { connectControl } from '../../src/control/client.ts'
import type { StatusResult } from '../../src/protocol/control.ts'
import { type ControlServer, serveControl } from '../../src/supervisor/control/server.ts'
import { systemClock } from '../../src/system/clock.ts'
import { aSlot, handlers } from '../supervisor/control/handlers.ts'
import { scratchDir } from '../support/scratch.ts'
import { realNative } from '../support/supervisor/real-native.ts'

let home: string
let server: ControlServer
beforeEach(() => {
  home = scratchDir('hermes-doctor-')
  mkdirSync(join(home, 'profiles', 'Bad Name'), { recursive: true })
  writeFileSync(join(home, 'config.yaml'), 'gateway: {restart: x}\n')
})
afterEach(() => server.close())

async function findings(some: Partial<StatusResult>): Promise<readonly string[]> {
  const path = join(home, 'control.sock')
  const status: StatusResult = {
    manager: 'foreground',
    version: '0',
    pid1: false,
    identity: { uid: 0, gid: 0 },
    phase: 'running',
    slots: [],
    warnings: [],
    ...some,
  }
  server = serveControl({
    fd: realNative.listenUnix(path, 511),
    clock: systemClock(),
    warn: (text) => expect.fail(text),
    handlers: handlers({ status: () => status }),
  })
  const connect = () => connectControl(path)
  const context = { paths: { controlSocket: path }, connect, clock: systemClock(), home }
  // The check reads no more of it.
  const found = await supervisor(context as unknown as Parameters<typeof supervisor>[0])
  return found.filter(({ state }) => state === 'warn').map(({ text, next }) => `${text} (${next})`)
}

const inBackoff = { ...aSlot, state: 'backoff', ready: false, reason: 'exited with code 1' } as const

test('a finding of the profile check is not reported twice, whatever its wording', async () => {
  const found = await findings({
    warnings: ['eins', 'zwei', 'drei', 'vier'],
    warningFacts: [
      { code: 'NOT_A_PROFILE', profile: 'Bad Name' },
      { code: 'CONFIG', profile: 'default' },
      { code: 'NOT_A_PROFILE', profile: 'hidden' },
      { code: 'CRASH_LOOP', slot: 'gateway-a' },
    ],
    slots: [inBackoff],
  })
  expect(found).toEqual(['drei (hermes logs supervisor)', 'vier (hermes -p a logs)'])
})

test('a supervisor that does not say what its warnings are about has them all shown', async () => {
  const found = await findings({ warnings: ['gateway-a is in a crash loop', 'another'], slots: [inBackoff] })
  expect(found).toEqual([
    'gateway-a is in a crash loop (hermes logs supervisor)',
    'another (hermes logs supervisor)',
    'gateway-a: exited with code 1 (hermes -p a logs)',
  ])
})
