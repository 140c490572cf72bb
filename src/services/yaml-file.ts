/** /etc/hermes/services.yaml: the documented way to define services. */
import { isMap, isScalar, LineCounter, type Pair, parseDocument, type YAMLMap } from 'yaml'
import { isTooDeep, MAX_YAML_DEPTH } from '../profile/config/yaml-depth.ts'
import { asWritten } from '../profile/config/yaml-text.ts'
import type { Fault } from '../system/files/trust.ts'
import { nearest } from '../system/text/nearest.ts'
import {
  DEFAULT_RULES,
  FINISH_TIMEOUT_MS,
  isServiceName,
  type ServiceDefinition,
  type ServiceProblem,
  type ServicePrograms,
} from './definition.ts'
import type { CommandFacts, FindUser, Found } from './facts.ts'
import { SERVICE_KEYS, type ServiceKey, type ServiceKeyName, type ServiceValues } from './yaml-keys.ts'

export interface YamlFacts {
  readonly file: string
  /** Programs that run as root have to be root's alone. */
  readonly asRoot: CommandFacts
  /** Of the runtime user, or of others. */
  readonly asOthers: CommandFacts
  readonly findUser: FindUser
  /** We are root, and can start something as somebody else. */
  readonly canBecome: (uid: number) => boolean
  readonly waitForServices: boolean
}

/** Never throws. A service with a problem is left out, the others stay. */
export function readServicesYaml(text: string, facts: YamlFacts): Found {
  const lines = new LineCounter()
  const isDeep = isTooDeep(text)
  const document = parseDocument(isDeep ? '' : text, { lineCounter: lines, prettyErrors: false })
  const lineOf = (offset: number | undefined): { line?: number } =>
    offset === undefined ? {} : { line: lines.linePos(offset).line }
  const { file } = facts
  const failed = (offset: number | undefined, message: string, repair: string): Found => ({
    definitions: [],
    problems: [{ file, ...lineOf(offset), message: `no service of it is run: ${message}`, repair }],
  })
  if (isDeep)
    return failed(undefined, `it has more than ${MAX_YAML_DEPTH} levels of sections and lists`, 'write it with fewer')
  const [syntax] = document.errors
  if (syntax !== undefined) return failed(syntax.pos[0], `expected YAML: ${syntax.message}`, 'correct that line')
  if (document.contents === null) return { definitions: [], problems: [] }
  const top = isMap(document.contents) ? (document.contents.items as readonly Pair[]) : undefined
  if (top === undefined) return failed(0, 'expected "services:" and names below it', 'begin the file with services:')
  const definitions: ServiceDefinition[] = []
  const problems: ServiceProblem[] = []
  for (const pair of top) {
    if (nameOf(pair) === 'services') continue
    const place = lineOf(offsetOf(pair))
    problems.push({
      file,
      ...place,
      key: nameOf(pair),
      message: 'unknown key',
      repair: 'the only key here is services',
    })
  }
  const services = top.find((pair) => nameOf(pair) === 'services')?.value
  if (!isMap(services))
    return services == null || (isScalar(services) && services.value === null)
      ? { definitions, problems }
      : failed(0, 'expected names below services:', 'indent the services below it')
  for (const pair of services.items as readonly Pair[]) {
    const name = nameOf(pair)
    const refuse = (problem: Omit<ServiceProblem, 'service' | 'file'>): void => {
      problems.push({ service: name, file, ...lineOf(offsetOf(pair)), ...problem })
    }
    if (!isServiceName(name))
      refuse({ message: 'a service’s name has small letters, digits, - and _, at most 92', repair: 'rename it' })
    else if (!isMap(pair.value)) refuse({ message: 'expected keys below it', repair: 'give it at least a command' })
    else {
      const { values, faults } = readKeys(pair.value, (node) => node.toJS(document))
      for (const { offset, ...fault } of faults) refuse({ ...fault, ...lineOf(offset) })
      if (faults.length > 0) continue
      const made = make(name, values, facts)
      if ('rules' in made) definitions.push(made)
      else refuse({ key: made.key, message: made.fault.message, repair: made.fault.repair })
    }
  }
  return { definitions, problems }
}

const nameOf = (pair: Pair): string => (isScalar(pair.key) ? String(pair.key.value) : '?')
const offsetOf = (pair: Pair): number | undefined => (isScalar(pair.key) ? pair.key.range?.[0] : undefined)

interface KeyFault {
  readonly key: string
  readonly offset: number | undefined
  readonly message: string
  readonly repair: string
}

/** What they hold are words and texts, whatever they look like. */
const TEXTS: ReadonlySet<string> = new Set<ServiceKeyName>(['command', 'finish', 'environment'])

const isKey = (name: string): name is ServiceKeyName => Object.hasOwn(SERVICE_KEYS, name)

function readKeys(
  map: YAMLMap,
  toValue: (node: { toJS: YAMLMap['toJS'] }) => unknown,
): { readonly values: ServiceValues; readonly faults: readonly KeyFault[] } {
  const values: Record<string, unknown> = {}
  const faults: KeyFault[] = []
  for (const pair of map.items as readonly Pair[]) {
    const name = nameOf(pair)
    const place = { key: name, offset: offsetOf(pair) }
    if (!isKey(name)) {
      const near = nearest(name, Object.keys(SERVICE_KEYS))
      const repair = near === undefined ? 'docs/services.md lists the keys' : `did you mean ${near}?`
      faults.push({ ...place, message: 'unknown key', repair })
      continue
    }
    let raw: unknown
    try {
      raw = pair.value === null ? null : toValue(pair.value as YAMLMap)
      if (TEXTS.has(name)) raw = asWritten(pair.value, raw)
    } catch (error) {
      // An alias without its anchor, or aliases of aliases without end.
      faults.push({ ...place, message: (error as Error).message, repair: 'write the value out' })
      continue
    }
    if (raw === null) continue // nothing is said
    const known: ServiceKey<unknown> = SERVICE_KEYS[name]
    const value = known.read(raw)
    if (value !== undefined) values[name] = value
    else
      faults.push({
        ...place,
        message: [`expected ${known.expected}, got ${shown(raw)}`, known.whyNot?.(raw) ?? []].flat().join(': '),
        repair: 'correct it',
      })
  }
  return { values: values as ServiceValues, faults }
}

function shown(value: unknown): string {
  try {
    return JSON.stringify(value).slice(0, 80)
  } catch {
    return 'something that contains itself' // an alias within its own anchor
  }
}

type Made = ServiceDefinition | { readonly key: string; readonly fault: Pick<Fault, 'message' | 'repair'> }

function make(name: string, values: ServiceValues, facts: YamlFacts): Made {
  const fault = (key: ServiceKeyName, message: string, repair: string): Made => ({ key, fault: { message, repair } })
  if (values.command === undefined) return fault('command', 'it has no command', 'give it one')
  if (values.oneshot && values.schedule !== undefined)
    return fault('schedule', 'a oneshot runs once', 'take oneshot or schedule out')
  const user = values.user === undefined ? undefined : facts.findUser(values.user)
  if (values.user !== undefined && user === undefined)
    return fault('user', `there is no account ${values.user}`, 'make it in the image (useradd), or name another')
  if (user !== undefined && !facts.canBecome(user.uid))
    return fault(
      'user',
      `it cannot become ${values.user}: init is not root`,
      'start the container as root, or take user out',
    )
  const isRoot = user === undefined || user.uid === 0
  const commands = isRoot ? facts.asRoot : facts.asOthers
  const cwd = values.directory ?? '/'
  const run = resolved(values.command, cwd, commands)
  if ('fault' in run) return { key: 'command', fault: run.fault }
  const finish = values.finish === undefined ? undefined : resolved(values.finish, cwd, commands)
  if (finish !== undefined && 'fault' in finish) return { key: 'finish', fault: finish.fault }
  const oneshot = values.oneshot ?? false
  const programs: ServicePrograms = {
    name,
    oneshot,
    run: run.words,
    ...(finish !== undefined && { finish: finish.words, finishTimeoutMs: FINISH_TIMEOUT_MS }),
    cwd,
    ...(user !== undefined && { user }),
    inherits: 'container',
    variables: values.environment ?? {},
    depth: 0,
  }
  const start = values.start ?? DEFAULT_RULES.start
  return {
    programs,
    rules: {
      name,
      source: facts.file,
      kind: oneshot ? 'oneshot' : values.schedule === undefined ? 'longrun' : 'scheduled',
      start,
      awaited: start && (oneshot || facts.waitForServices) && values.schedule === undefined,
      dependsOn: values.depends_on ?? DEFAULT_RULES.dependsOn,
      readiness: values.ready ?? DEFAULT_RULES.readiness,
      readyAfterMs: values.ready_after ?? DEFAULT_RULES.readyAfterMs,
      startTimeoutMs: values.start_timeout ?? DEFAULT_RULES.startTimeoutMs,
      restart: values.restart ?? DEFAULT_RULES.restart,
      restartDelay: values.restart_delay ?? DEFAULT_RULES.restartDelay,
      giveUpAfter: values.give_up_after ?? DEFAULT_RULES.giveUpAfter,
      stopSignal: values.stop_signal ?? DEFAULT_RULES.stopSignal,
      stopTimeoutMs: values.stop_timeout ?? DEFAULT_RULES.stopTimeoutMs,
      finishTimeoutMs: finish === undefined ? null : FINISH_TIMEOUT_MS,
      essential: values.essential ?? DEFAULT_RULES.essential,
      keep: DEFAULT_RULES.keep,
      liveness: values.liveness ?? DEFAULT_RULES.liveness,
      memoryLimitBytes: values.memory_limit ?? DEFAULT_RULES.memoryLimitBytes,
      schedule: values.schedule ?? DEFAULT_RULES.schedule,
    },
  }
}

/** The program by its whole path: at its start no PATH decides any more. */
function resolved(
  words: readonly string[],
  directory: string,
  { check }: CommandFacts,
): { readonly words: readonly string[] } | { readonly fault: Pick<Fault, 'message' | 'repair'> } {
  const [program = '', ...args] = words
  const found = check(words, directory)
  if (found === undefined)
    return {
      fault: {
        message: `there is no program ${program}`,
        repair: 'install it in the image, or name it by its whole path',
      },
    }
  if (found.fault === undefined) return { words: [found.file, ...args] }
  const { file, message, repair } = found.fault
  return { fault: { message: `${file}: ${message}`, repair } }
}
