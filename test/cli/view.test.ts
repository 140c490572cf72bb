import { spawn, spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { mask } from '../../src/cli/commands/env.ts'
import { readinessProblems } from '../../src/cli/commands/frequent.ts'
import { findZombies, zombieWarnings } from '../../src/cli/context/warnings.ts'
import {
  deathText,
  durationText,
  managerLine,
  slotDetails,
  slotsTable,
  stateText,
} from '../../src/cli/view/slots-view.ts'
import type { SlotStatus } from '../../src/protocol/control.ts'
import { splitCommandLine } from '../../src/system/programs/command-line.ts'
import { nearest } from '../../src/system/text/nearest.ts'
import { scratchDir } from '../support/scratch.ts'
import { waitFor } from '../support/wait.ts'

const slot = (over: Partial<SlotStatus> = {}): SlotStatus => ({
  slot: 'gateway-coder',
  profile: 'coder',
  state: 'up',
  wanted: 'up',
  ready: true,
  pid: 312,
  since: '2026-11-22T12:00:00.000Z',
  restarts: 0,
  log: '/l/current',
  ...over,
})
const NOON_MS = Date.UTC(2026, 10, 22, 12)

test.each([
  [0, '0 ms'],
  [999, '999 ms'],
  [1000, '1 s'],
  [59_999, '59 s'],
  [60_000, '1 min'],
  [185_000, '3 min 5 s'],
  [3_600_000, '1 h'],
  [7_800_000, '2 h 10 min'],
  [86_400_000, '1 d'],
  [357_000_000, '4 d 3 h'],
  [Number.NaN, '?'],
])('%d ms is %s', (ms, text) => {
  expect(durationText(ms)).toBe(text)
})

test.each([
  ['s6-compatible', 'Manager: s6 (container supervisor)'],
  ['foreground', 'Manager: foreground'],
] as const)('status names the manager in words that scripts look for: %s', (manager, line) => {
  expect(managerLine({ manager })).toBe(line)
})

describe('a slot in words', () => {
  test('says what it does, and what it should where that differs', () => {
    expect(stateText(slot())).toBe('up')
    expect(stateText(slot({ wanted: 'down' }))).toBe('up, wanted down')
    expect(stateText(slot({ state: 'down' }))).toBe('down, wanted up')
    expect(stateText(slot({ ready: false }))).toBe('up, not ready')
  })

  test('leaves out what is not known', () => {
    const { pid: _, ...rest } = slot({
      state: 'backoff',
      ready: false,
      restarts: 2,
      lastDeath: { at: '2026-11-22T12:00:00Z', signal: 'KILL', upMs: 3000 },
      nextStartAt: '2026-11-22T12:00:04.000Z',
      reason: 'killed',
    })
    expect(slotDetails(rest, NOON_MS).split('\n')).toEqual([
      'gateway-coder',
      '  state      backoff',
      '  wanted     up',
      '  ready      no',
      '  since      0 ms (since 2026-11-22T12:00:00.000Z)',
      '  restarts   2',
      '  last death SIGKILL at 2026-11-22T12:00:00Z, after 3 s',
      '  next start in 4 s (2026-11-22T12:00:04.000Z)',
      '  reason     killed',
      '  log        /l/current',
      '',
    ])
    expect(deathText({ at: 'T', exitCode: 78 })).toBe('exit code 78 at T')
  })

  test('the table has a line each', () => {
    expect(slotsTable([slot()], NOON_MS + 61_000)).toBe(
      'SLOT           STATE  PID  FOR        RESTARTS\ngateway-coder  up     312  1 min 1 s  0\n',
    )
  })
})

describe('readiness', () => {
  const of = (slots: readonly SlotStatus[], profile?: string, phase: 'running' | 'booting' | 'waiting' = 'running') =>
    readinessProblems({ phase, slots }, profile)

  test('is every wanted gateway up or within its start time; helpers and unwanted ones do not count', () => {
    expect(of([])).toEqual([])
    expect(of([slot(), slot({ state: 'starting', ready: false }), slot({ state: 'down', wanted: 'down' })])).toEqual([])
    const { profile: _, ...helper } = slot({ slot: 'dashboard', state: 'parked' })
    expect(of([helper])).toEqual([])
    expect(of([slot({ state: 'backoff', reason: 'exit code 1' })])).toEqual([
      'gateway-coder is waiting for its next start: exit code 1',
    ])
  })

  test('of one profile is that one alone, wanted or not', () => {
    expect(of([slot(), slot({ slot: 'gateway-b', profile: 'b', state: 'parked' })], 'coder')).toEqual([])
    expect(of([slot({ state: 'down', wanted: 'down' })], ' Coder ')).toEqual(['gateway-coder is down'])
    expect(of([slot()], 'nobody')).toEqual(['no slot "gateway-nobody"'])
    expect(of([slot()], '../x')).toEqual(['"../x" is not a profile'])
  })

  test('is not there while the container boots or waits for the volume', () => {
    expect(of([slot()], undefined, 'booting')).toEqual(['the supervisor is booting'])
    expect(of([], undefined, 'waiting')).toEqual(['the supervisor is waiting: another container is using this volume'])
  })
})

test.each([
  ['gatewy', 'gateway'],
  ['strt', 'start'],
  ['prof', 'profile'],
  ['stauts', 'status'],
  ['xyz', undefined],
  ['', undefined],
])('nearest to %j is %j', (typed, found) => {
  expect(nearest(typed, ['gateway', 'profile', 'start', 'status'])).toBe(found)
})

test('-p and --json are taken from wherever they stand before --', () => {
  expect(splitCommandLine(['gateway', '-p', ' Coder', 'status', '--json'])).toEqual({
    profile: 'coder',
    profiles: ['coder'],
    json: true,
    args: ['gateway', 'status'],
  })
  expect(splitCommandLine(['--profile=x', 'a', '--', '--json', '-p'])).toEqual({
    profile: 'x',
    profiles: ['x'],
    json: false,
    args: ['a', '--', '--json', '-p'],
  })
  expect(() => splitCommandLine(['-p'])).toThrow(expect.objectContaining({ exitCode: 2 }))
})

test('secrets are masked by the name of the variable, and in URLs', () => {
  expect([mask('OPENAI_API_KEY', 'sk'), mask('db_password', 'x'), mask('PORT', '1'), mask('EMPTY_TOKEN', '')]).toEqual([
    '****',
    '****',
    '1',
    '',
  ])
  expect(mask('URL', 'http://me:pw@h/?a=b:c@d')).toBe('http://me:****@h/?a=b:c@d')
})

test('zombies are one warning per parent; those of PID 1 are about to be reaped', () => {
  const zombie = (pid: number, parent: number) => ({ pid, name: 'curl', parent, parentName: 'agent' })
  expect(zombieWarnings([zombie(5, 1)])).toEqual([])
  expect(zombieWarnings([zombie(5, 3), zombie(6, 3), zombie(7, 1)])).toEqual([
    '2 zombies (curl, pid 5) of agent (pid 3), which does not wait for its children',
  ])
})

test('zombies of a host that are not below our init are not ours', async () => {
  const dir = scratchDir('hermes-zombies-')
  // It never asks for its child's exit code.
  const parent = spawn('sh', ['-c', 'sleep 0 & exec sleep 1000'])
  const initPid = join(dir, 'init.pid')
  try {
    writeFileSync(initPid, `${parent.pid}\n`)
    await waitFor('a zombie below that process', () => findZombies(initPid).length === 1)
    writeFileSync(initPid, `${spawnSync('true').pid}\n`)
    expect(findZombies(initPid)).toEqual([])
    expect(findZombies(join(dir, 'nothing'))).toEqual([])
  } finally {
    parent.kill()
  }
})
