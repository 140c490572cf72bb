import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { DEFAULT_PATH, readContainerEnvironment } from '../../profile/environment/environment.ts'
import type { RuntimeIdentity } from '../../protocol/start-up.ts'
import { isClosedVariable } from '../../system/dashboard-secrets.ts'
import { rootPathOf, trusted } from '../../system/files/trust.ts'
import { checkCommand, checkProgram, type ProgramFacts, readable } from '../../system/programs/program.ts'
import { problemText, type ServiceDefinition, type ServiceProblem } from '../definition.ts'
import type { CommandFacts, FoundServices } from '../facts.ts'
import { validGraph } from '../graph.ts'
import { readS6Rc, readServicesD } from '../s6-tree.ts'
import { isPrograms, MAX_ARGUMENTS, MAX_PROBLEMS, type ServiceTable } from '../table.ts'
import { readServicesYaml } from '../yaml-file.ts'
import { readText, readTree } from './tree.ts'
import { findUser } from './users.ts'

const MAX_YAML_BYTES = 1_000_000
const MAX_ENV_FILE_BYTES = 65_536
const EXECLINEB = ['/command/execlineb', '/usr/bin/execlineb', '/bin/execlineb']

export interface Sources {
  readonly servicesD: string
  readonly s6Rc: string
  /** Alternative place of the bundles `user` and `user2`. */
  readonly userBundles: string
  readonly yaml: string
  /** More of them, by name. */
  readonly yamlDir: string
}

export const SOURCES: Sources = {
  servicesD: '/etc/services.d',
  s6Rc: '/etc/s6-overlay/s6-rc.d',
  userBundles: '/etc/s6-overlay/user-bundles.d',
  yaml: '/etc/hermes/services.yaml',
  yamlDir: '/etc/hermes/services.d',
}

export interface ReaderFacts {
  readonly environmentDir: string
  readonly identity: RuntimeIdentity
  /** Our uid: root's, if init is root. */
  readonly uid: number
  /** PATH of what runs as root. */
  readonly rootPath: string
}

/** Reads and checks everything that an image defines; returns the table for init. */
export function readServices(sources: Sources, { environmentDir, identity, uid, rootPath }: ReaderFacts): ServiceTable {
  const container = readContainerEnvironment(environmentDir)
  const path = container.PATH || DEFAULT_PATH
  const roots = { path: rootPathOf(rootPath), look: (file: string) => trusted(file) }
  const asRoot = commandsIn(roots)
  const tree = {
    keepEnvironment: (container.S6_KEEP_ENV ?? '0') !== '0',
    waitForServices: (container.S6_CMD_WAIT_FOR_SERVICES ?? '0') !== '0',
    commands: asRoot,
  }
  const servicesD = readTree(sources.servicesD, roots)
  // s6-rc copies its programs and makes the copies executable; here they run in place.
  const s6Rc = readTree(sources.s6Rc, { ...roots, withoutRunBit: true })
  const userBundles = readTree(sources.userBundles, roots)
  const yaml = {
    asRoot,
    asOthers: commandsIn({ path, look: readable }),
    findUser: (name: string) => (name === identity.user ? { ...identity, name: identity.user } : findUser(name)),
    canBecome: (other: number) => uid === 0 || uid === other,
    waitForServices: tree.waitForServices,
    variables: Object.fromEntries(Object.entries(container).filter(([name]) => !isClosedVariable(name))),
    readFile: (file: string) => (trusted(file) === undefined ? undefined : readText(file, MAX_ENV_FILE_BYTES)),
  }
  const found: readonly FoundServices[] = [
    ...[servicesD, s6Rc, userBundles].map(({ problems }) => ({ definitions: [], problems })),
    readServicesD(servicesD.dirs, tree),
    readS6Rc(s6Rc.dirs, userBundles.dirs, tree),
    ...yamlFiles(sources.yaml, sources.yamlDir).map((one) =>
      'fault' in one ? { definitions: [], problems: [one.fault] } : yamlServices(one.file, yaml),
    ),
  ]
  const sized = withoutOversized(found)
  const { definitions, problems } = withoutDoubles(sized.definitions)
  const leftOut = [...sized.problems, ...problems].flatMap(({ service }) => service ?? [])
  const graph = validGraph(definitions, new Set(leftOut))
  return {
    programs: graph.services.map((one) => one.programs),
    rules: graph.services.map((one) => ({ ...one.rules })),
    problems: [...sized.problems, ...problems, ...graph.problems].slice(0, MAX_PROBLEMS).map(problemText),
  }
}

const commandsIn = (facts: ProgramFacts): CommandFacts => ({
  execlineb: EXECLINEB.find((file) => {
    const found = checkProgram(file, facts)
    return found !== undefined && found.fault === undefined
  }),
  check: (argv, directory) => checkCommand(argv, directory, facts),
})

/** The file, and those of the directory that end in `.yaml`, by name. */
function yamlFiles(
  file: string,
  dir: string,
): readonly ({ readonly file: string } | { readonly fault: ServiceProblem })[] {
  const found = trusted(dir)
  if (found === undefined) return [{ file }]
  if ('fault' in found)
    return [{ file }, { fault: { ...found.fault, message: `no service of ${dir} is run: ${found.fault.message}` } }]
  const names = found.status.isDirectory() ? readdirSync(found.real) : []
  const yaml = names.filter((name) => name.endsWith('.yaml') && !name.startsWith('.')).sort()
  return [{ file }, ...yaml.map((name) => ({ file: join(dir, name) }))]
}

function yamlServices(file: string, facts: Omit<Parameters<typeof readServicesYaml>[1], 'file'>): FoundServices {
  if (!existsSync(file)) return { definitions: [], problems: [] }
  const read = readText(file, MAX_YAML_BYTES)
  if ('text' in read) return readServicesYaml(read.text, { ...facts, file })
  const { message, ...fault } = read.fault
  return { definitions: [], problems: [{ ...fault, message: `no service of ${file} is run: ${message}` }] }
}

/** init takes a table as a whole or not at all: what it would not take must not cost the others their start. */
function withoutOversized(all: readonly FoundServices[]): FoundServices {
  const definitions = all.flatMap((one) => one.definitions)
  const sound = definitions.filter(({ programs }) => isPrograms(programs))
  const problems = definitions
    .filter((one) => !sound.includes(one))
    .map(({ rules }) => ({
      service: rules.name,
      file: rules.source,
      message: `it has more than ${MAX_ARGUMENTS} arguments or variables, or one of more than 128 KiB`,
      repair: 'put them into a script or a file',
    }))
  return { definitions: sound, problems: [...all.flatMap((one) => one.problems), ...problems] }
}

/** A name is one slot: the first source that defines it wins. */
function withoutDoubles(definitions: readonly ServiceDefinition[]): FoundServices {
  const byName = new Map<string, ServiceDefinition>()
  const problems: ServiceProblem[] = []
  for (const one of definitions) {
    const { name, source } = one.rules
    const first = byName.get(name)
    if (first === undefined) byName.set(name, one)
    else
      problems.push({
        service: name,
        file: source,
        message: `${first.rules.source} defines a service of this name already`,
        repair: 'rename one of them',
      })
  }
  return { definitions: [...byName.values()], problems }
}
