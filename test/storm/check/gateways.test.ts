import { expect, test } from 'vitest'
import { type GatewayFacts, gatewayFigure, gatewayViolations, readGateways } from './gateways.ts'

/** Profile `ada1` is wanted on ada, `ada2` is stopped; ada's container was killed once. */
const facts = (changes: Partial<GatewayFacts> = {}): GatewayFacts => ({
  gateways: [
    { profile: 'ada1', node: 'ada', wanted: true },
    { profile: 'ada2', node: 'ada', wanted: false },
  ],
  up: [{ profile: 'ada1', node: 'ada' }],
  gatewayLives: [
    { node: 'ada', profile: 'ada1', beganAtMs: 1000, lastAtMs: 2000 },
    { node: 'ada', profile: 'ada1', beganAtMs: 3000, lastAtMs: 4000 },
  ],
  kills: new Map([['ada', 1]]),
  ...changes,
})
const life = { node: 'ada', profile: 'ada1', beganAtMs: 1000, lastAtMs: 2000 }

test.each<readonly [string, Partial<GatewayFacts>, readonly string[]]>([
  ['a gateway that began again after its container was killed is as it should be', {}, []],
  ['a gateway that is not up at the end is found', { up: [] }, ['a gateway is not up']],
  [
    'a gateway that is up on a second node is found',
    {
      up: [
        { profile: 'ada1', node: 'ada' },
        { profile: 'ada1', node: 'bob' },
      ],
    },
    ['a gateway where none is wanted'],
  ],
  [
    'a gateway that runs although it is stopped is found',
    { up: [...facts().up, { profile: 'ada2', node: 'ada' }], gatewayLives: [{ ...life, profile: 'ada2' }] },
    ['a gateway where none is wanted', 'a gateway was restarted'],
  ],
  ['a restart that no kill explains is found', { kills: new Map([['bob', 1]]) }, ['a gateway was restarted']],
  [
    'two that live at the same time are found',
    { gatewayLives: [life, { ...life, node: 'bob', beganAtMs: 1500 }] },
    ['two live gateways'],
  ],
])('%s', (_, changes, rules) => {
  expect(gatewayViolations(facts(changes)).map(({ rule }) => rule)).toEqual(rules)
})

test('the account of the gateways of a node tells lives apart, also those with one pid', () => {
  const text = `began 1.0 pid=7 profile=ada1
began 1.5 pid=8 profile=ada2
lives 2.0 pid=7 profile=ada1
began 3.0 pid=7 profile=ada1
stopped 4.0 pid=7 profile=ada1
liv`
  expect(readGateways('ada', text)).toEqual([
    { node: 'ada', profile: 'ada1', beganAtMs: 1000, lastAtMs: 2000 },
    { node: 'ada', profile: 'ada2', beganAtMs: 1500, lastAtMs: 1500 },
    { node: 'ada', profile: 'ada1', beganAtMs: 3000, lastAtMs: 4000 },
  ])
  expect(() => readGateways('ada', 'hello\n')).toThrow('line 1 of the gateways of ada: "hello"')
})

test('a line says how many gateways are up, and how often they began again', () => {
  expect(gatewayFigure(facts())).toBe('1 of 1 wanted gateways up; 1 restarts, by 1 kills of a container')
})
