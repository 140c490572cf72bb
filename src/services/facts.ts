/** The definitions as found on disk, before they are interpreted. */

import type { Fault } from '../system/files/trust.ts'
import type { CheckedProgram } from '../system/programs/program.ts'
import type { ServiceDefinition, ServiceProblem, ServiceUser } from './definition.ts'

/** A directory with a definition, as found on disk. */
export interface TreeDir {
  readonly name: string
  readonly path: string
  /** Text of the small files in it, by name. */
  readonly files: Readonly<Record<string, string>>
  /** Names in its directories `dependencies.d` and `contents.d`. */
  readonly lists: Readonly<Record<string, readonly string[]>>
  /** Programs that run in place: `run`, `finish`. Absent: there is none. */
  readonly programs: Readonly<Record<string, CheckedProgram>>
  readonly log?: TreeDir
  /** Why nothing in it may be used. */
  readonly problem?: Fault
}

export interface CommandFacts {
  /** Path of execlineb, if the image has one that only root can change. */
  readonly execlineb: string | undefined
  /** The program of a command line, by its path or by its name on PATH; undefined: there is none. */
  readonly check: (argv: readonly string[], directory: string) => CheckedProgram | undefined
}

export interface TreeFacts {
  /** S6_KEEP_ENV: everything gets the container's environment. */
  readonly keepEnvironment: boolean
  /** S6_CMD_WAIT_FOR_SERVICES: services of services.d are waited for, too. */
  readonly waitForServices: boolean
  readonly commands: CommandFacts
}

export interface FoundServices {
  readonly definitions: readonly ServiceDefinition[]
  readonly problems: readonly ServiceProblem[]
}

export type FindUser = (name: string) => ServiceUser | undefined
