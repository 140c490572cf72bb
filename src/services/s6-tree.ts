/**
 * Service directories as s6-overlay's users write them. The content of the disk comes as facts; its meaning is decided
 * here.
 * Source: s6's servicedir, s6-rc's "source definition directories", s6-overlay's README (services.d, user bundle).
 */
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
import type { FoundServices, TreeDir, TreeFacts } from './facts.ts'
import { Bundles, isBundle } from './s6-bundles.ts'
import { checkNumbers, namesIn, RefusedDefinition, refused, signal, typeOf, whole } from './s6-files.ts'
import { isReserved, type Pipelines, pipelinesOf } from './s6-pipelines.ts'

/** /etc/services.d: each directory is a longrun that starts with the container; `log` in it is its logger. */
export function readServicesD(dirs: readonly TreeDir[], facts: TreeFacts): FoundServices {
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

/**
 * Reads /etc/s6-overlay/s6-rc.d: the services that the bundle `user` (and `user2`) starts, and the services these
 * need. s6-rc-compile refuses the whole tree for one fault; here only services with a fault, and those that depend on
 * them, are left out.
 * @param bundles /etc/s6-overlay/user-bundles.d, the place of these two bundles since s6-overlay 3.2.3
 */
export function readS6Rc(dirs: readonly TreeDir[], bundles: readonly TreeDir[], facts: TreeFacts): FoundServices {
  const services = dirs.filter((dir) => !isBundle(dir))
  const longruns = services.filter(({ files }) => files.type?.slice(0, 7) === 'longrun')
  const pipelines = pipelinesOf(longruns, new Set(dirs.map(({ name }) => name)))
  const names = new Bundles([...dirs, ...bundles], pipelines.named)
  const found = collect(services, (dir) => [inS6Rc(dir, names, pipelines, facts)])
  return { definitions: found.definitions, problems: [...names.problems, ...found.problems] }
}

/** One service of a tree of s6-rc. A pipe leads from one to the other, and the reader starts first and stops last. */
function inS6Rc(dir: TreeDir, names: Bundles, pipelines: Pipelines, facts: TreeFacts): ServiceDefinition {
  if (isReserved(dir.name))
    throw refused(dir.path, 'names that begin with s6rc- or s6-rc- are reserved by s6-rc', 'rename the directory')
  const type = typeOf(dir)
  checkNumbers(dir)
  const fault = pipelines.faults.get(dir.name)
  if (fault !== undefined) throw fault
  const { writesTo, readsFrom = [] } = pipelines.ends.get(dir.name) ?? {}
  const needs = names.servicesOf(namesIn(dir, 'dependencies') ?? [], dir)
  const started = names.started.has(dir.name)
  const common = {
    start: started,
    awaited: started,
    keep: dir.files['flag-essential'] !== undefined || names.isEssential(dir.name),
    dependsOn: [...needs, ...(writesTo === undefined ? [] : [writesTo])].map((name) => ({
      name,
      until: 'ready' as const,
    })),
  }
  const { rules, programs } = type === 'longrun' ? longrun(dir, common, facts) : oneshot(dir, common, facts)
  const ends = {
    ...(writesTo !== undefined && { writes: writesTo }),
    ...(readsFrom.length > 0 && { reads: dir.name }),
  }
  return { rules, programs: { ...programs, ...ends } }
}

function collect(dirs: readonly TreeDir[], read: (dir: TreeDir) => readonly ServiceDefinition[]): FoundServices {
  const problems: ServiceProblem[] = []
  const definitions = dirs.flatMap((dir) => {
    try {
      const fault = dir.problem ?? dir.log?.problem
      if (fault !== undefined) throw new RefusedDefinition(fault)
      if (!isServiceName(dir.name))
        throw refused(
          dir.path,
          'a service’s name has small letters, digits, - and _, at most 92',
          'rename the directory',
        )
      return read(dir)
    } catch (error) {
      if (!(error instanceof RefusedDefinition)) throw error
      problems.push({ service: dir.name, ...error.fault })
      return []
    }
  })
  return { definitions, problems }
}

function longrun(dir: TreeDir, rules: Partial<ServiceRules>, facts: TreeFacts): ServiceDefinition {
  const fd = whole(dir, 'notification-fd', 3, 63)
  const finish = optional(dir, 'finish')
  const finishTimeoutMs = finish === undefined ? null : (whole(dir, 'timeout-finish', 0) ?? FINISH_TIMEOUT_MS)
  return {
    rules: {
      ...DEFAULT_RULES,
      name: dir.name,
      source: dir.path,
      kind: 'longrun',
      readiness: fd === undefined ? { by: 'alive' } : { by: 'fd', fd },
      // Without a limit, s6 waits indefinitely; s6-rc waits for its timeout.
      startTimeoutMs: whole(dir, 'timeout-up', 0) ?? 0,
      stopSignal: signal(dir),
      stopTimeoutMs: stopTimeout(dir),
      finishTimeoutMs,
      keep: dir.files['flag-essential'] !== undefined,
      ...rules,
    },
    programs: {
      ...programsOf(dir, facts),
      inServiceDir: true,
      oneshot: false,
      run: [...required(dir, 'run'), dir.name],
      ...(finish !== undefined && { finish }),
      ...(finishTimeoutMs && { finishTimeoutMs }),
    },
  }
}

function oneshot(dir: TreeDir, rules: Partial<ServiceRules>, facts: TreeFacts): ServiceDefinition {
  const down = commandOf(dir, 'down', facts)
  const up = commandOf(dir, 'up', facts)
  const finishTimeoutMs = down === undefined ? null : (whole(dir, 'timeout-down', 0) ?? 0)
  return {
    rules: {
      ...DEFAULT_RULES,
      name: dir.name,
      source: dir.path,
      kind: 'oneshot',
      startTimeoutMs: whole(dir, 'timeout-up', 0) ?? 0,
      finishTimeoutMs,
      ...rules,
    },
    programs: {
      ...programsOf(dir, facts),
      oneshot: true,
      cwd: '/',
      // s6-rc: an empty `up` does nothing, and succeeds.
      run: up ?? ['/bin/true'],
      ...(down !== undefined && { finish: down }),
      ...(finishTimeoutMs && { finishTimeoutMs }),
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
    throw refused(`${dir.path}/up`, 'a oneshot needs a file named up', 'create it with the command line')
  }
  const command = oneshotCommand(text, `${dir.path}/${name}`, facts.commands)
  if ('argv' in command) return command.argv.length === 0 ? undefined : command.argv
  throw new RefusedDefinition(command.fault)
}

function required(dir: TreeDir, name: string): readonly string[] {
  const program = optional(dir, name)
  if (program !== undefined) return program
  throw refused(`${dir.path}/${name}`, 'there is no such file', `write an executable ${name}`)
}

function optional(dir: TreeDir, name: string): readonly string[] | undefined {
  const program = dir.programs[name]
  if (program?.fault !== undefined) throw new RefusedDefinition(program.fault)
  return program && [...(program.through ?? []), program.file]
}

/** s6's `timeout-kill` and s6-rc's `timeout-down`; 0, their default, is never: here it is what every slot has. */
const stopTimeout = (dir: TreeDir): number =>
  whole(dir, 'timeout-kill', 0) || whole(dir, 'timeout-down', 0) || DEFAULT_RULES.stopTimeoutMs
