// The keys that a gateway in config.yaml and a service in services.yaml have in common mean the same in both files.
import { expect, test } from 'vitest'
import { configProblemText, parseConfig } from '../../src/profile/config/config.ts'
import { CONFIG_KEYS, isConfigKey } from '../../src/profile/config/keys.ts'
import { PROGRAM_KEYS, type ProgramKeyName, programRules } from '../../src/profile/config/program-keys.ts'
import { problemText } from '../../src/services/definition.ts'
import { readServicesYaml, type YamlFacts } from '../../src/services/yaml-file.ts'
import { SERVICE_KEYS } from '../../src/services/yaml-keys.ts'
import { TREE_FACTS } from './sources.ts'

const commands = { ...TREE_FACTS.commands, check: () => ({ file: '/usr/bin/x' }) }
const facts: YamlFacts = {
  file: 'services.yaml',
  asRoot: commands,
  asOthers: commands,
  findUser: () => undefined,
  canBecome: () => true,
  waitForServices: false,
  variables: {},
  readFile: () => undefined,
}
const inConfig = (text: string) => parseConfig(`description: x\ngateway:\n  ${text}\n`, 'config.yaml')
const inServices = (text: string) => readServicesYaml(`services:\n  a:\n    command: [x]\n    ${text}\n`, facts)

interface Example {
  readonly good: string
  readonly bad: string
}
const examples: Readonly<Record<ProgramKeyName, Example>> = {
  liveness: { good: '{command: [true], every: 1s, silence: 10m}', bad: '{silence: 10m, every: 1s}' },
  on_stuck: { good: 'restart', bad: 'kill' },
  memory_limit: { good: '256M', bad: '1T' },
  max_age: { good: '24h', bad: '0' },
  watch: { good: '[/etc/agent/prompts, /etc/agent/config.yaml]', bad: '[.]' },
  nice: { good: '10', bad: '-1' },
  rlimits: { good: '{nofile: 1024, core: 0, stack: unlimited, cpu: 1h}', bad: '{nofiles: 1024}' },
}

test.each(Object.entries(examples))('%s has the same rule in both files', (name, { good }) => {
  const text = `${name}: ${good}`
  const { config, problems } = inConfig(text)
  const service = inServices(text)
  expect([problems, service.problems]).toEqual([[], []])
  const [definition] = service.definitions
  const none = programRules({})
  for (const key of Object.keys(none) as (keyof typeof none)[])
    expect(config.gateway[key], key).toEqual(definition?.rules[key])
  expect(config.gateway).not.toMatchObject(none)
})

test.each(Object.entries(examples))('%s is refused with file, line, key and what was expected', (name, { bad }) => {
  const text = `${name}: ${bad}`
  const { expected } = PROGRAM_KEYS[name as ProgramKeyName].kind
  expect(inConfig(text).problems.map(configProblemText)).toEqual([
    expect.stringContaining(`config.yaml, line 3: gateway.${name}: expected ${expected}, got `),
  ])
  expect(inServices(text).problems.map(problemText)).toEqual([
    expect.stringContaining(`services.yaml, line 4, ${name}: expected ${expected}, got `),
  ])
})

test('keys of both files that are not in the common table have the same kind, except for `ready: auto` and `user`', () => {
  const shared = Object.entries(SERVICE_KEYS).filter(([name]) => isConfigKey(`gateway.${name}`))
  expect(shared.map(([name]) => name)).toEqual(expect.arrayContaining(['ready', 'restart', 'stop_signal', 'liveness']))
  for (const [name, { kind }] of shared) {
    // A service names a user of the image, a profile can only have one of its own.
    if (name === 'ready' || name === 'user') continue
    const key = `gateway.${name}`
    const own = isConfigKey(key) ? CONFIG_KEYS[key].kind : undefined
    expect(own?.schema, name).toEqual(kind.schema)
  }
})
