import type { Outcome } from '../terminal/output.ts'
import type { Context } from './context.ts'

/** One command as data: parser, help, completion and docs/commands.md are made from it. */
export interface Command {
  /** `profile create`. */
  readonly path: string
  readonly summary: string
  readonly arguments?: readonly ArgumentSpec[]
  readonly options?: readonly OptionSpec[]
  /** More than the summary says, for the help and the reference. */
  readonly details?: string
  /** What the exit codes mean here, besides 0, 1 and 2 as everywhere. */
  readonly exits?: Readonly<Record<number, string>>
  /** It writes into the volume, so it waits while a container that has just been started still prepares it. */
  readonly writes?: true
  readonly run: (context: Context, input: Input) => Promise<Outcome> | Outcome
}

export interface ArgumentSpec {
  readonly name: string
  readonly help: string
  readonly kind: 'required' | 'optional' | 'many'
  /** The only words it takes. */
  readonly words?: readonly string[]
}

export interface OptionSpec {
  /** `--timeout`. */
  readonly long: string
  readonly short?: string
  /** Name of its value; absent: a flag. In brackets, `[NAME]`: the value may be left out. */
  readonly value?: string
  readonly help: string
}

/** What was typed: words in order, options by their long name without dashes. */
export interface Input {
  readonly words: readonly string[]
  readonly options: Readonly<Record<string, string | true>>
}

/** A first word that stands for several commands. */
export interface Group {
  readonly name: string
  readonly summary: string
  /** What the word alone runs; absent: it shows its commands. */
  readonly alone?: string
}

/** The value of an option that has one. */
export const textOption = (input: Input, name: string): string | undefined => {
  const value = input.options[name]
  return typeof value === 'string' ? value : undefined
}
