/** /etc/hermes/services.yaml: the documented way to define services. */
import { resolve } from 'node:path'
import { isMap, type Pair, type YAMLMap } from 'yaml'
import { programRules } from '../profile/config/program-keys.ts'
import { isEmpty, nameOf, type Place, readYamlText, type YamlText } from '../profile/config/yaml-document.ts'
import { parseDotEnv } from '../profile/environment/dot-env.ts'
import type { Fault } from '../system/files/trust.ts'
import { withLimits } from '../system/programs/sh-limits.ts'
import { nearest } from '../system/text/nearest.ts'
import {
  DEFAULT_RULES,
  FINISH_TIMEOUT_MS,
  isServiceName,
  REPLICA,
  type ServiceDefinition,
  type ServiceProblem,
  type ServicePrograms,
  serviceSlot,
} from './definition.ts'
import type { CommandFacts, FindUser, FoundServices } from './facts.ts'
import { SERVICE_KEYS, type ServiceKeyName, type ServiceValues } from './yaml-keys.ts'
import { type Variables, withVariables } from './yaml-variables.ts'

export interface YamlFacts {
  readonly file: string
  /** Programs that run as root have to be root's alone. */
  readonly asRoot: CommandFacts
  /** Programs of the runtime user, or of others. */
  readonly asOthers: CommandFacts
  readonly findUser: FindUser
  /** init is root, so it can start programs as another user. */
  readonly canBecome: (uid: number) => boolean
  readonly waitForServices: boolean
  /** The container's environment, without what no service gets. */
  readonly variables: Variables
  /** Reads a file that only root can change; undefined: there is none. */
  readonly readFile: (path: string) => { readonly text: string } | { readonly fault: Fault } | undefined
}

/** Never throws. A service with a problem is left out; the others are kept. */
export function readServicesYaml(text: string, facts: YamlFacts): FoundServices {
  const { file } = facts
  const failed = (place: Place, message: string, repair: string): FoundServices => ({
    definitions: [],
    problems: [{ file, ...place, message: `no service of it is run: ${message}`, repair }],
  })
  const yaml = readYamlText(text)
  if ('fault' in yaml) return failed(yaml.fault, yaml.fault.message, 'correct that')
  const { contents, placeOf } = yaml
  if (contents === null) return { definitions: [], problems: [] }
  if (!isMap(contents)) return failed(placeOf(contents), 'expected "services:" and names below it', BEGIN)
  const definitions: ServiceDefinition[] = []
  const problems: ServiceProblem[] = []
  let services: unknown
  for (const pair of contents.items as readonly Pair[]) {
    if (nameOf(pair) === 'services') services = pair.value
    else
      problems.push({
        file,
        ...placeOf(pair.key),
        key: nameOf(pair),
        message: 'unknown key',
        repair: 'services is the only key allowed here',
      })
  }
  if (isEmpty(services)) return { definitions, problems }
  if (!isMap(services))
    return failed(placeOf(contents), 'expected names below services:', 'indent the services below it')
  for (const pair of services.items as readonly Pair[]) {
    const service = nameOf(pair)
    const place = { service, file, ...placeOf(pair.key) }
    if (!isServiceName(service))
      problems.push({
        ...place,
        message: 'a service’s name has small letters, digits, - and _, at most 92',
        repair: 'rename it',
      })
    else if (!isMap(pair.value))
      problems.push({ ...place, message: 'expected keys below it', repair: 'add at least a command' })
    else
      for (const { name, variables } of instancesOf(service, pair.value, yaml, facts.variables)) {
        const { values, faults } = readKeys(pair.value, yaml, variables)
        const made = faults.length > 0 ? undefined : make(name, values, { ...facts, variables })
        if (made !== undefined && 'rules' in made) definitions.push(made)
        else {
          for (const fault of faults) problems.push({ ...place, ...fault })
          if (made !== undefined) problems.push({ ...place, key: made.key, ...made.fault })
          break // the others have the same fault
        }
      }
  }
  return { definitions, problems }
}

interface Instance {
  readonly name: string
  readonly variables: Variables
}

/** One service, or with `replicas` several. A wrong number of them is a fault that reading all keys reports. */
function instancesOf(service: string, map: YAMLMap, { judge }: YamlText, variables: Variables): readonly Instance[] {
  const node = map.get('replicas', true)
  const verdict = isEmpty(node) ? undefined : judge(withVariables<unknown>(SERVICE_KEYS.replicas.kind, variables), node)
  if (verdict === undefined || !('value' in verdict)) return [{ name: service, variables }]
  return Array.from({ length: Number(verdict.value) }, (_, i) => ({
    name: `${service}-${i + 1}`,
    variables: { ...variables, [REPLICA]: `${i + 1}` },
  }))
}

const BEGIN = 'start the file with services:'
const isKey = (name: string): name is ServiceKeyName => Object.hasOwn(SERVICE_KEYS, name)

type KeyFault = Place & Pick<ServiceProblem, 'message' | 'repair'> & { readonly key: string }

function readKeys(
  map: YAMLMap,
  { placeOf, judge }: YamlText,
  variables: Variables,
): { readonly values: ServiceValues; readonly faults: readonly KeyFault[] } {
  const values: Record<string, unknown> = {}
  const faults: KeyFault[] = []
  for (const pair of map.items as readonly Pair[]) {
    const key = nameOf(pair)
    const place = { key, ...placeOf(pair.key) }
    if (!isKey(key)) {
      const near = nearest(key, Object.keys(SERVICE_KEYS))
      const repair = near === undefined ? 'see docs/services.md for the keys' : `did you mean ${near}?`
      faults.push({ ...place, message: 'unknown key', repair })
    } else if (!isEmpty(pair.value)) {
      const verdict = judge(withVariables<unknown>(SERVICE_KEYS[key].kind, variables), pair.value)
      if ('value' in verdict) values[key] = verdict.value
      else faults.push({ ...place, message: verdict.message, repair: 'correct it' })
    }
  }
  return { values: values as ServiceValues, faults }
}

type Made = ServiceDefinition | { readonly key: string; readonly fault: Pick<Fault, 'message' | 'repair'> }

function make(name: string, values: ServiceValues, facts: YamlFacts): Made {
  const fault = (key: ServiceKeyName, message: string, repair: string): Made => ({ key, fault: { message, repair } })
  if (values.command === undefined) return fault('command', 'it has no command', 'add one')
  if (values.oneshot && values.schedule !== undefined)
    return fault('schedule', 'a oneshot runs once', 'remove oneshot or schedule')
  const user = values.user === undefined ? undefined : facts.findUser(values.user)
  if (values.user !== undefined && user === undefined)
    return fault('user', `no account ${values.user}`, 'create it in the image (useradd), or use another one')
  if (user !== undefined && !facts.canBecome(user.uid))
    return fault(
      'user',
      `it cannot become ${values.user}: init is not root`,
      'start the container as root, or remove user',
    )
  const isRoot = user === undefined || user.uid === 0
  const commands = isRoot ? facts.asRoot : facts.asOthers
  const cwd = values.directory ?? '/'
  const run = resolved(values.command, cwd, commands)
  if ('fault' in run) return { key: 'command', fault: run.fault }
  const finish = values.finish === undefined ? undefined : resolved(values.finish, cwd, commands)
  if (finish !== undefined && 'fault' in finish) return { key: 'finish', fault: finish.fault }
  const fromFiles = readEnvFiles(values.env_file ?? [], facts.readFile)
  if ('fault' in fromFiles) return { key: 'env_file', fault: fromFiles.fault }
  const oneshot = values.oneshot ?? false
  const shared = programRules({ ...values, watch: values.watch?.map((path) => resolve(cwd, path)) })
  const programs: ServicePrograms = {
    name,
    oneshot,
    run: withLimits(run.argv, shared, serviceSlot(name)),
    ...(finish !== undefined && { finish: finish.argv, finishTimeoutMs: FINISH_TIMEOUT_MS }),
    cwd,
    ...(user !== undefined && { user }),
    inherits: 'container',
    variables: {
      ...(facts.variables[REPLICA] !== undefined && { [REPLICA]: facts.variables[REPLICA] }),
      ...fromFiles.variables,
      ...values.environment,
    },
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
      ...shared,
      schedule: values.schedule ?? DEFAULT_RULES.schedule,
    },
  }
}

/** Variables of all files; a later one goes before. */
function readEnvFiles(
  files: readonly string[],
  readFile: YamlFacts['readFile'],
): { readonly variables: Variables } | { readonly fault: Pick<Fault, 'message' | 'repair'> } {
  const all: Record<string, string> = {}
  for (const file of files) {
    const read = readFile(file)
    if (read === undefined) return { fault: { message: `there is no ${file}`, repair: 'put the file there' } }
    if ('fault' in read) {
      const { file: where, message, repair } = read.fault
      return { fault: { message: `${where}: ${message}`, repair } }
    }
    const { variables, warnings } = parseDotEnv(read.text, file)
    const [wrong] = warnings
    if (wrong !== undefined)
      return { fault: { message: wrong.replace('; the line is ignored', ''), repair: 'correct that line' } }
    Object.assign(all, variables)
  }
  return { variables: all }
}

/** The program by its whole path: at its start no PATH decides any more. */
function resolved(
  argv: readonly string[],
  directory: string,
  { check }: CommandFacts,
): { readonly argv: readonly string[] } | { readonly fault: Pick<Fault, 'message' | 'repair'> } {
  const [program = '', ...args] = argv
  const found = check(argv, directory)
  if (found === undefined)
    return {
      fault: {
        message: `there is no program ${program}`,
        repair: 'install it in the image, or use its whole path',
      },
    }
  if (found.fault === undefined) return { argv: [found.file, ...args] }
  const { file, message, repair } = found.fault
  return { fault: { message: `${file}: ${message}`, repair } }
}
