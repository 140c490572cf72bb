import { mkdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import { parseConfig } from '../../../src/profile/config/config.ts'
import { type SlotEnvironmentFacts, slotEnvironment } from '../../../src/profile/environment/environment.ts'
import { holderOf, issueOwnToken, issueToken, meteredAccess } from '../../../src/profile/environment/metered.ts'
import { quickScratchDir } from '../../support/scratch.ts'

let scanDir: string
beforeEach(() => {
  scanDir = quickScratchDir('hermes-tokens-')
  for (const slot of ['gateway-coder', 'job-1', 'meter']) mkdirSync(join(scanDir, slot))
})

const openai = 'agent: {openai: {base_url: "https://up.example/v1", model: m, api_key_env: UP_KEY}'
const agentOf = (text: string) => parseConfig(text, 'config.yaml').config.agent
const environmentOf = (over: Partial<SlotEnvironmentFacts>): Record<string, string> => {
  const { variables } = slotEnvironment({
    slot: 'gateway-coder',
    profile: 'coder',
    home: '/data',
    profileDir: '/data/profiles/coder',
    runDir: '/run/hermes',
    user: { name: 'hermes', home: '/data' },
    path: [],
    container: {},
    dotEnv: {},
    gatewayEnv: {},
    ...over,
  })
  return Object.fromEntries(variables.map(({ name, value }) => [name, value]))
}

test('a budget, agent.meter, and a budget that cannot be read make a profile metered', () => {
  const metered = (text: string): boolean => agentOf(text).metered
  expect(metered(`${openai}}`)).toBe(false)
  expect(metered(`${openai}, meter: true}`)).toBe(true)
  expect(metered(`${openai}}\nbudget: {usd: 1}`)).toBe(true)
  expect(metered(`${openai}}\nbudget: {usd: -1}`)).toBe(true)
  expect(metered(`${openai}}\nbudget: 5`)).toBe(true)
  expect(metered(`${openai}, meter: yes please}`)).toBe(true)
})

test.each([
  ['{usd: 5}', { per: 'day', usd: 5, tokens: null, warnAt: 0.8, taskUsd: null }],
  ['{per: month, tokens: 1000, warn_at: 1}', { per: 'month', usd: null, tokens: 1000, warnAt: 1, taskUsd: null }],
  ['{task_usd: 0.5}', { per: 'day', usd: null, tokens: null, warnAt: 0.8, taskUsd: 0.5 }],
])('budget: %s is taken', (text, budget) => {
  expect(parseConfig(`budget: ${text}`, 'c')).toMatchObject({ config: { budget }, problems: [] })
})

test.each([
  '{}',
  '{per: week, usd: 1}',
  '{usd: "1"}',
  '{tokens: 1.5}',
  '{usd: 1, warn_at: 2}',
  '{usd: 1, eur: 1}',
  '[1]',
])('budget: %s is refused with file, line, key and expectation', (text) => {
  expect(parseConfig(`description: x\nbudget: ${text}`, '/d/config.yaml').problems).toEqual([
    expect.objectContaining({
      file: '/d/config.yaml',
      line: 2,
      key: 'budget',
      message: expect.stringMatching(/^expected \{per: day or month, usd: an amount, tokens: a whole number, .* got /),
    }),
  ])
})

test('the key is taken out of every layer, and the meter’s address and token are given', () => {
  const metered = meteredAccess('coder', agentOf(`${openai}, meter: true}`), () => 'gateway-coder.secret')
  const layer = { UP_KEY: 'sk-1', OPENAI_API_KEY: 'sk-2', OPENAI_BASE_URL: 'https://other' }
  const variables = environmentOf({ container: layer, dotEnv: layer, gatewayEnv: layer, metered })
  expect(variables).toMatchObject({
    OPENAI_BASE_URL: 'http://127.0.0.1:8643/p/coder/v1',
    OPENAI_API_KEY: 'gateway-coder.secret',
  })
  expect(Object.keys(variables)).not.toContain('UP_KEY')
  expect(Object.keys(variables)).not.toContain('NO_PROXY')
  const unmetered = environmentOf({ dotEnv: layer, metered: meteredAccess('coder', agentOf(`${openai}}`), () => 'x') })
  expect(unmetered).toMatchObject(layer)
})

test('without a meter there is no address and no key either', () => {
  const metered = meteredAccess('coder', agentOf(`${openai}, meter: true}`), () => undefined)
  const layer = { UP_KEY: 'sk-1', OPENAI_API_KEY: 'sk-2', OPENAI_BASE_URL: 'https://other' }
  expect(JSON.stringify(environmentOf({ dotEnv: layer, metered }))).not.toMatch(/sk-|OPENAI/)
})

test('the port is the container’s, and a proxy is not asked for the meter', () => {
  const metered = meteredAccess('coder', agentOf(`${openai}, meter: true}`), () => 't')
  const container = { HERMES_METER_PORT: '9001', HTTP_PROXY: 'http://proxy:3128', NO_PROXY: 'intern' }
  expect(environmentOf({ container, dotEnv: { HERMES_METER_PORT: '9002' }, metered })).toMatchObject({
    OPENAI_BASE_URL: 'http://127.0.0.1:9001/p/coder/v1',
    NO_PROXY: 'intern,127.0.0.1',
    no_proxy: 'intern,127.0.0.1',
  })
})

test('a token is known as long as its slot runs, and its record does not contain it', () => {
  const holder = { profile: 'coder', task: 't_1', board: 'default' }
  const token = issueToken(scanDir, 'job-1', holder)
  expect(holderOf(scanDir, token)).toEqual(holder)
  const file = join(scanDir, 'job-1', 'meter-token')
  expect(readFileSync(file, 'utf8')).not.toContain(token.split('.')[1])
  expect(statSync(file).mode & 0o777).toBe(0o600)
  const next = issueToken(scanDir, 'job-1', holder)
  expect(next).not.toBe(token)
  expect([holderOf(scanDir, token), holderOf(scanDir, next)]).toEqual([undefined, holder])
  rmSync(join(scanDir, 'job-1'), { recursive: true })
  expect(holderOf(scanDir, next)).toBeUndefined()
})

test('a command has a token of its own, if there is a meter', () => {
  const token = issueOwnToken(scanDir, 4711, { profile: 'coder' })
  expect(holderOf(scanDir, token)).toEqual({ profile: 'coder' })
  rmSync(join(scanDir, 'meter'), { recursive: true })
  expect(() => issueOwnToken(scanDir, 4711, { profile: 'coder' })).toThrow('ENOENT')
})

test.each(['', '.', 'gateway-coder', 'gateway-coder.', '../x.y', '/etc.y', 'gateway-coder.wrong', 'pid-1.x', 'a/b.c'])(
  '%j is not a token',
  (token) => {
    issueToken(scanDir, 'gateway-coder', { profile: 'coder' })
    expect(holderOf(scanDir, token)).toBeUndefined()
  },
)
