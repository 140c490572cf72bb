import type { OptionSpec } from './command.ts'

/** Options of every command, anywhere on the command line; `splitCommandLine` takes them out before the parser. */
export const GLOBAL_OPTIONS: readonly OptionSpec[] = [
  {
    long: '--profile',
    short: '-p',
    value: 'NAME',
    help: 'profile to use; default: the active profile (see hermes profile use)',
    completes: 'profiles',
  },
  { long: '--json', help: 'print one JSON document instead of text, also for errors' },
]
