import type { Command, Group } from '../context/command.ts'
import { bashScript } from './bash.ts'
import { fishScript } from './fish.ts'
import { tableOf } from './rows.ts'
import { zshScript } from './zsh.ts'

export const SHELLS = ['bash', 'zsh', 'fish'] as const
export type Shell = (typeof SHELLS)[number]

const WRITERS = { bash: bashScript, zsh: zshScript, fish: fishScript } as const satisfies Record<Shell, unknown>

/** The line with which each script begins, or that follows its first line. */
export const scriptMark = (shell: Shell): string => `# hermes completion ${shell}`

/**
 * Returns a completion script for `shell`. It completes commands, options and their values without starting a program;
 * for names of profiles, tasks and the like it asks `hermes completion values`.
 */
export const completionScript = (shell: Shell, commands: readonly Command[], groups: readonly Group[]): string =>
  WRITERS[shell](tableOf(commands, groups))
