import type { Outcome } from '../terminal/output.ts'
import type { Context } from './context.ts'

/** One command as data. The parser, the help, the completion and docs/commands.md are generated from it. */
export interface Command {
  /** `profile create`. */
  readonly path: string
  readonly summary: string
  readonly arguments?: readonly ArgumentSpec[]
  readonly options?: readonly OptionSpec[]
  /** Text beyond the summary, for the help and the reference. */
  readonly details?: string
  /** Meaning of exit codes for this command, besides the general 0, 1 and 2. */
  readonly exits?: Readonly<Record<number, string>>
  /**
   * True if the command writes to the volume; it then waits until a container that is just starting has prepared the
   * volume.
   */
  readonly writes?: true
  readonly run: (context: Context, input: Input) => Promise<Outcome> | Outcome
}

/** Values that only the home, the board or the supervisor knows: `hermes completion values` prints them. */
export const VALUE_KINDS = ['profiles', 'services', 'slots', 'tasks', 'boards', 'routines', 'templates'] as const
export type ValueKind = (typeof VALUE_KINDS)[number]

/** Words that the completion of a shell offers for a value: of a kind, or listed, without spaces and commas. */
export type Completes = ValueKind | 'config-keys' | 'files' | 'directories' | readonly string[]

export interface ArgumentSpec {
  readonly name: string
  readonly help: string
  readonly kind: 'required' | 'optional' | 'many'
  /** The only values accepted. */
  readonly choices?: readonly string[]
  /** For the completion, if `choices` and the name do not say it (src/cli/completion/rows.ts). */
  readonly completes?: Completes
}

export interface OptionSpec {
  /** `--timeout`. */
  readonly long: string
  readonly short?: string
  /** Name of its value; absent for a flag. `[NAME]` in brackets: the value is optional. */
  readonly value?: string
  readonly help: string
  /** For the completion, if the name of the value does not say it (src/cli/completion/rows.ts). */
  readonly completes?: Completes
}

/** The parsed command line: arguments in order, options by long name without dashes. */
export interface Input {
  readonly args: readonly string[]
  readonly options: Readonly<Record<string, string | true>>
}

/** A first argument shared by several commands. */
export interface Group {
  readonly name: string
  readonly summary: string
  /** Subcommand that this argument alone runs; if absent, it shows the list of commands. */
  readonly alone?: string
}

/** Returns the value of an option that takes one. */
export const textOption = (input: Input, name: string): string | undefined => {
  const value = input.options[name]
  return typeof value === 'string' ? value : undefined
}
