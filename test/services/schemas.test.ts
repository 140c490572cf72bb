// The JSON Schemas of config.yaml and services.yaml, as an editor uses them: made from the same table as the readers.
import { Ajv2020 } from 'ajv/dist/2020.js'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { readValues } from '../../src/profile/config/reader.ts'
import { configJsonSchema } from '../../src/profile/config/schema.ts'
import { configText } from '../../src/profile/directory/templates.ts'
import { readServicesYaml } from '../../src/services/yaml-file.ts'
import { servicesJsonSchema } from '../../src/services/yaml-schema.ts'
import { TREE_FACTS } from './sources.ts'

const ajv = new Ajv2020({ strictTypes: false, allErrors: true })
const config = ajv.compile(configJsonSchema() as object)
const services = ajv.compile(servicesJsonSchema() as object)

const FACTS = { asRoot: TREE_FACTS.commands, asOthers: TREE_FACTS.commands, findUser: () => undefined }
const inConfig = (text: string) => ({
  schema: config(parse(text)),
  reader: readValues(text, 'f').problems.length === 0,
})
const inServices = (text: string) => {
  const { problems } = readServicesYaml(text, {
    ...FACTS,
    file: 'f',
    canBecome: () => true,
    waitForServices: false,
    variables: {},
    readFile: () => ({ text: '' }),
  })
  return { schema: services(parse(text)), reader: problems.length === 0 }
}
const both = (is: boolean) => ({ schema: is, reader: is })

test('the file that a new profile gets passes with every line uncommented', () => {
  const text = configText(true).replaceAll(/^( *)#(?=[a-z])/gm, '$1')
  expect(inConfig(text)).toEqual(both(true))
})

test.each([
  'gateway: {ready: {tcp: "redis:6379"}, stop_timeout: 1.5m, stop_signal: 15}\n',
  'gateway: {command: [sh, -c, 7, true], env: {A: 1.10}, give_up_after: {deaths: 5, within: 60}}\n',
  'agent: {openai: {base_url: "https://a/v1", model: m}}\nkanban: {max_in_progress_per_profile: "3"}\n',
  'gateway:\n  restart:\nagent:\n',
  'gateway: {liveness: {http: "http://x/health", silence: 10m}, memory_limit: 256M}\n',
  'gateway: {liveness: {silence: 10m}, memory_limit: 1000, on_stuck: restart}\n',
  'gateway: {watch: [.env, prompts/, /etc/agent], max_age: 24h}\n',
  'secrets: {A: {file: a}, B: {command: [op, read, 7], timeout: 5s, refresh: 1h}, C: {file: /c, refresh: 60}, D: null}\n',
  'gateway: {nice: 0, rlimits: {nofile: 0, nproc: unlimited, core: 0, cpu: 1m}}\n',
])('the schema and the reader of config.yaml take %j', (text) => {
  expect(inConfig(text)).toEqual(both(true))
})

test.each([
  'gatway: {}\n',
  'gateway: {restrat: never}\n',
  'gateway: {restart: sometimes}\n',
  'gateway: {restart_delay: {first: 0}}\n',
  'gateway: {stop_timeout: 5 minutes}\n',
  'gateway: {command: []}\n',
  'gateway: {env: {1A: x}}\n',
  'secrets: {A: hunter2}\n',
  'secrets: {A: {file: a, command: [b]}}\n',
  'secrets: {A: {file: a, timeout: 1s}}\n',
  'secrets: {A: {command: []}}\n',
  'secrets: {A: {file: a, refresh: 0.5}}\n',
  'secrets: {A-B: {file: a}}\n',
  'secrets: {HERMES_X: {file: a}}\n',
  'secrets: [A]\n',
  'gateway: {ready: {fd: 3, log: x}}\n',
  'gateway: {ready: {http: localhost}}\n',
  'gateway: {ready: alive}\n',
  'agent: {openai: {base_url: "https://a/v1"}}\n',
  'logging: {archives: 1.5}\n',
  'gateway: [1]\n',
  'gateway: {liveness: {silence: 10m, every: 1s}}\n',
  'gateway: {liveness: {tcp: 80, http: "http://x"}}\n',
  'gateway: {liveness: {}}\n',
  'gateway: {liveness: {tcp: 80, silence: 0}}\n',
  'gateway: {memory_limit: 1T}\n',
  'gateway: {on_stuck: kill}\n',
  'gateway: {nice: 20}\n',
  'gateway: {watch: []}\n',
  'gateway: {watch: [./]}\n',
  'gateway: {watch: [../other]}\n',
  'gateway: {watch: prompts}\n',
  'gateway: {max_age: 0}\n',
  'gateway: {rlimits: {nofile: -1}}\n',
  'gateway: {rlimits: {cpu: 0}}\n',
])('the schema and the reader of config.yaml refuse %j', (text) => {
  expect(inConfig(text)).toEqual(both(false))
})

test.each([
  'services: {a: {command: [x]}}\n',
  'services: {a: {command: [x], ready: {command: [y]}, memory_limit: 256M, depends_on: {b: started}}}\n',
  'services: {a: {command: [x], liveness: {http: "http://x", every: 5s}, restart_delay: {max: 2m}}}\n',
  'services: {a: {command: [x], oneshot: true, finish: [y], start: false, ready_after: 0}}\n',
  'services:\n',
])('the schema and the reader of services.yaml take %j', (text) => {
  expect(inServices(text)).toEqual(both(true))
})

test.each([
  'service: {}\n',
  'services: {A.b: {command: [x]}}\n',
  'services: {a: {}}\n',
  'services: {a: {command: x}}\n',
  'services: {a: {command: [x], comand: [y]}}\n',
  'services: {a: {command: [x], directory: here}}\n',
  'services: {a: {command: [x], memory_limit: 1T}}\n',
  'services: {a: {command: [x], on_stuck: true}}\n',
  'services: {a: {command: [x], depends_on: {b: sometimes}}}\n',
  'services: {a: {command: [x], liveness: {every: 5s}}}\n',
  'services: {a: {command: [x], liveness: {silence: 1s, failures: 1}}}\n',
  'services: {a: {command: [x], ready: auto}}\n',
])('the schema and the reader of services.yaml refuse %j', (text) => {
  expect(inServices(text)).toEqual(both(false))
})
