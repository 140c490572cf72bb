/**
 * Service directories as s6-overlay's users write them. What is on disk comes as facts; what it means is decided here.
 * Source: s6's servicedir, s6-rc's "source definition directories", s6-overlay's README (services.d, user bundle).
 */
import { parseSignal } from '../protocol/init.ts'
import type { Fault } from '../system/trust.ts'
import { oneshotCommand } from './command-line.ts'
import {
  DEFAULT_RULES,
  FINISH_TIMEOUT_MS,
  isServiceName,
  type ServiceDefinition,
  type ServiceProblem,
  type ServicePrograms,
  type ServiceRules,
} from './definition.ts'
import type { Found, TreeDir, TreeFacts } from './facts.ts'

/** What s6-overlay itself brings, and trees depend on: here it is there before any service starts. */
const BUILT_IN = new Set(['base', 'fix-attrs', 'legacy-cont-init', 'legacy-services', 'top', 'user', 'user2'])

/** /etc/services.d: each directory is a longrun that starts with the container; `log` in it is its logger. */
export function readServicesD(dirs: readonly TreeDir[], facts: TreeFacts): Found {
  return collect(dirs, (dir) => {
    const logName = `${dir.name}-log`
    const own = longrun(dir, {}, facts)
    const common = { start: dir.files.down === undefined, awaited: facts.waitForServices }
    if (dir.log === undefined) return [{ ...own, rules: { ...own.rules, ...common } }]
    const logger = longrun({ ...dir.log, name: logName }, {}, facts)
    const pipe = dir.name
    return [
      {
        rules: { ...own.rules, ...common, dependsOn: [{ name: logName, until: 'started' }] },
        programs: { ...own.programs, writes: pipe },
      },
      {
        rules: { ...logger.rules, start: dir.log.files.down === undefined },
        programs: { ...logger.programs, reads: pipe },
      },
    ]
  })
}

/** What starts with the container. s6-overlay brings their `type`, so authors write none. */
const USER_BUNDLES: readonly string[] = ['user', 'user2']
const isBundle = (dir: TreeDir): boolean => USER_BUNDLES.includes(dir.name) || dir.files.type?.trim() === 'bundle'

/**
 * /etc/s6-overlay/s6-rc.d: what the bundle `user` (and `user2`) names starts, with what that needs.
 * @param bundles /etc/s6-overlay/user-bundles.d, where these two lie since s6-overlay 3.2.3
 */
export function readS6Rc(dirs: readonly TreeDir[], bundles: readonly TreeDir[], facts: TreeFacts): Found {
  const all = [...dirs, ...bundles]
  const userBundles = USER_BUNDLES.map((name) =>
    bundle(
      name,
      all.filter((dir) => dir.name === name).flatMap((dir) => namesIn(dir, 'contents')),
    ),
  )
  const byName = new Map([...dirs, ...pipelines(dirs), ...userBundles].map((dir) => [dir.name, dir]))
  const started = membersOf(USER_BUNDLES, byName)
  const services = dirs.filter((dir) => !isBundle(dir))
  const faulty = all
    .filter(isBundle)
    .flatMap(({ name, problem }) =>
      problem === undefined ? [] : [{ ...problem, message: `the bundle ${name} starts nothing: ${problem.message}` }],
    )
  const unknown: ServiceProblem[] = [...started]
    .filter((name) => !byName.has(name) && !BUILT_IN.has(name))
    .map((service) => ({
      service,
      file: 'bundle user',
      message: 'the bundle names it, and no directory defines it',
      repair: `define it, or remove contents.d/${service} from the bundle`,
    }))
  const found = collect(services, (dir) => [
    definition(dir, { start: started.has(dir.name), awaited: started.has(dir.name) }, byName, facts),
  ])
  return { definitions: withPipes(found.definitions, byName), problems: [...faulty, ...unknown, ...found.problems] }
}

const bundle = (name: string, contents: readonly string[]): TreeDir => ({
  name,
  path: '',
  files: { type: 'bundle' },
  lists: { 'contents.d': contents },
  programs: {},
})

/** The last of a pipeline may name it: a bundle of everything that writes into it, and of itself. */
function pipelines(dirs: readonly TreeDir[]): readonly TreeDir[] {
  return dirs.flatMap((last) => {
    const name = last.files['pipeline-name']?.trim()
    if (!name) return []
    const members = new Set([last.name])
    // A Set's iterator also visits what is added meanwhile.
    for (const reader of members)
      for (const one of dirs) if (one.files['producer-for']?.trim() === reader) members.add(one.name)
    return [bundle(name, [...members])]
  })
}

function collect(dirs: readonly TreeDir[], read: (dir: TreeDir) => readonly ServiceDefinition[]): Found {
  const problems: ServiceProblem[] = []
  const definitions = dirs.flatMap((dir) => {
    try {
      const fault = dir.problem ?? dir.log?.problem
      if (fault !== undefined) throw new Refused(fault)
      if (!isServiceName(dir.name))
        throw refused(
          dir.path,
          'a service’s name has small letters, digits, - and _, at most 92',
          'rename the directory',
        )
      return read(dir)
    } catch (error) {
      if (!(error instanceof Refused)) throw error
      problems.push({ service: dir.name, ...error.fault })
      return []
    }
  })
  return { definitions, problems }
}

/** Thrown while one definition is read, and caught there. */
class Refused extends Error {
  readonly fault: Fault
  constructor(fault: Fault) {
    super(fault.message)
    this.fault = fault
  }
}
const refused = (file: string, message: string, repair: string): Refused => new Refused({ file, message, repair })

function definition(
  dir: TreeDir,
  common: Pick<ServiceRules, 'start' | 'awaited'>,
  byName: ReadonlyMap<string, TreeDir>,
  facts: TreeFacts,
): ServiceDefinition {
  const type = dir.files.type?.trim()
  const dependsOn = [...membersOf(namesIn(dir, 'dependencies'), byName)]
    .filter((name) => !BUILT_IN.has(name) || byName.has(name))
    .map((name) => ({ name, until: 'ready' as const }))
  if (type === 'longrun') return longrun(dir, { ...common, dependsOn }, facts)
  if (type === 'oneshot') return oneshot(dir, { ...common, dependsOn }, facts)
  const got = type === undefined ? 'there is none' : `got ${JSON.stringify(type)}`
  throw refused(`${dir.path}/type`, `expected longrun, oneshot or bundle, ${got}`, 'write one of them into it')
}

/** The services that names stand for: a bundle is what it holds, bundles in it too. */
function membersOf(names: readonly string[], byName: ReadonlyMap<string, TreeDir>): ReadonlySet<string> {
  const seen = new Set(names)
  const members = new Set<string>()
  for (const name of seen) {
    const dir = byName.get(name)
    if (dir !== undefined && isBundle(dir)) for (const one of namesIn(dir, 'contents')) seen.add(one)
    else if (dir !== undefined || !BUILT_IN.has(name)) members.add(name)
  }
  return members
}

/** `<list>.d/NAME`, or the older file with a name a line. */
const namesIn = (dir: TreeDir, list: string): readonly string[] => [
  ...(dir.lists[`${list}.d`] ?? []),
  ...(dir.files[list] ?? '').split(/\s+/).filter((word) => word !== ''),
]

function longrun(dir: TreeDir, rules: Partial<ServiceRules>, facts: TreeFacts): ServiceDefinition {
  const fd = whole(dir, 'notification-fd', 3, 63)
  const finish = optional(dir, 'finish')
  return {
    rules: {
      ...DEFAULT_RULES,
      name: dir.name,
      source: dir.path,
      kind: 'longrun',
      readiness: fd === undefined ? { by: 'alive' } : { by: 'fd', fd },
      // s6 waits for ever by itself; s6-rc as long as it is told.
      startTimeoutMs: whole(dir, 'timeout-up', 0) ?? 0,
      stopSignal: signal(dir),
      stopTimeoutMs: stopTimeout(dir),
      finishTimeoutMs: finish === undefined ? null : (whole(dir, 'timeout-finish', 0) ?? FINISH_TIMEOUT_MS),
      keep: dir.files['flag-essential'] !== undefined,
      ...rules,
    },
    programs: {
      ...programsOf(dir, facts),
      oneshot: false,
      run: [required(dir, 'run'), dir.name],
      ...(finish !== undefined && { finish: [finish] }),
    },
  }
}

function oneshot(dir: TreeDir, rules: Partial<ServiceRules>, facts: TreeFacts): ServiceDefinition {
  const down = commandOf(dir, 'down', facts)
  const up = commandOf(dir, 'up', facts)
  return {
    rules: {
      ...DEFAULT_RULES,
      name: dir.name,
      source: dir.path,
      kind: 'oneshot',
      startTimeoutMs: whole(dir, 'timeout-up', 0) ?? 0,
      finishTimeoutMs: down === undefined ? null : (whole(dir, 'timeout-down', 0) ?? 0),
      keep: dir.files['flag-essential'] !== undefined,
      ...rules,
    },
    programs: {
      ...programsOf(dir, facts),
      oneshot: true,
      cwd: '/',
      // s6-rc: an empty `up` does nothing, and succeeds.
      run: up ?? ['/bin/true'],
      ...(down !== undefined && { finish: down }),
    },
  }
}

const programsOf = (
  dir: TreeDir,
  facts: TreeFacts,
): Pick<ServicePrograms, 'name' | 'cwd' | 'inherits' | 'variables' | 'depth'> => ({
  name: dir.name,
  cwd: dir.path,
  inherits: facts.keepEnvironment ? 'container' : 'path',
  variables: {},
  depth: 0,
})

function commandOf(dir: TreeDir, name: 'up' | 'down', facts: TreeFacts): readonly string[] | undefined {
  const text = dir.files[name]
  if (text === undefined) {
    if (name === 'down') return undefined
    throw refused(`${dir.path}/up`, 'a oneshot has a file up, and there is none', 'write its command line into it')
  }
  const command = oneshotCommand(text, `${dir.path}/${name}`, facts.commands)
  if ('words' in command) return command.words.length === 0 ? undefined : command.words
  throw new Refused(command.fault)
}

function required(dir: TreeDir, name: string): string {
  const program = optional(dir, name)
  if (program !== undefined) return program
  throw refused(`${dir.path}/${name}`, 'there is no such file', `write an executable ${name}`)
}

function optional(dir: TreeDir, name: string): string | undefined {
  const program = dir.programs[name]
  if (program?.fault !== undefined) throw new Refused(program.fault)
  return program?.file
}

/** A file with a whole number on its first line; absent, or empty: undefined. */
function whole(dir: TreeDir, name: string, min: number, max = 86_400_000): number | undefined {
  const text = dir.files[name]?.split('\n')[0]?.trim()
  if (text === undefined || text === '') return undefined
  const value = /^\d{1,9}$/.test(text) ? Number(text) : -1
  if (value >= min && value <= max) return value
  const what = max < 100 ? `a descriptor from ${min} to ${max}` : 'a whole number of milliseconds'
  throw refused(
    `${dir.path}/${name}`,
    `expected ${what}, got ${JSON.stringify(text.slice(0, 40))}`,
    'write one into it',
  )
}

function signal(dir: TreeDir): ServiceRules['stopSignal'] {
  const text = dir.files['down-signal']?.trim()
  if (text === undefined || text === '') return 'TERM'
  const found = parseSignal(text)
  if (found !== undefined) return found
  throw refused(
    `${dir.path}/down-signal`,
    `expected a signal, got ${JSON.stringify(text.slice(0, 40))}`,
    'write TERM, INT, … into it',
  )
}

/** s6's `timeout-kill` and s6-rc's `timeout-down`; 0, their default, is never: here it is what every slot has. */
const stopTimeout = (dir: TreeDir): number =>
  whole(dir, 'timeout-kill', 0) || whole(dir, 'timeout-down', 0) || DEFAULT_RULES.stopTimeoutMs

/** producer-for and consumer-for: a pipe from the one to the other, and the reader starts first and stops last. */
function withPipes(
  definitions: readonly ServiceDefinition[],
  byName: ReadonlyMap<string, TreeDir>,
): readonly ServiceDefinition[] {
  return definitions.map(({ rules, programs }) => {
    const to = byName.get(rules.name)?.files['producer-for']?.trim()
    const from = byName.get(rules.name)?.files['consumer-for'] !== undefined
    const dependsOn = to === undefined ? rules.dependsOn : [...rules.dependsOn, { name: to, until: 'ready' as const }]
    return {
      rules: { ...rules, dependsOn },
      programs: { ...programs, ...(to !== undefined && { writes: to }), ...(from && { reads: rules.name }) },
    }
  })
}
