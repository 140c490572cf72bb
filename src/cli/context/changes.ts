/** The commands that change something, and the part of their arguments that the audit log may have. Pure. */
import type { Input } from './command.ts'

export interface CommandChange {
  readonly action: string
  /** Names and ids only. undefined: nothing of its arguments may be in the log. */
  readonly target: string | undefined
  /** The target begins with the profile of the command. */
  readonly ofProfile: boolean
  /** The target is the name or id of what the command has made. */
  readonly madeByIt: boolean
}

/**
 * - `first`: its first argument, which is a name or an id
 * - `made`: the name or id in its answer, because its arguments are texts or secrets
 * - `profile`: the profile that it is about; `profile first`: followed by the first argument
 * - `none`: nothing
 * - a list of words: its first argument is an action, and the second a name; with one of these words it only reads
 * - `setting`: the first argument; without a second one, and without --unset, it only reads
 * - `schedule`: nothing; without an argument, and without --remove, it only reads
 * - `home`: nothing; with --into, it is about another home
 */
type Rule =
  | 'first'
  | 'made'
  | 'profile'
  | 'profile first'
  | 'none'
  | 'setting'
  | 'schedule'
  | 'home'
  | readonly string[]

/** Starts and stops are not in it: the supervisor records those of `gateway`, `service` and `dashboard`. */
export const CHANGING: Readonly<Record<string, Rule>> = {
  setup: 'profile',
  login: 'profile',
  'config set': 'profile first',
  'config edit': 'profile',
  'env set': 'profile first',
  'env unset': 'profile first',
  'profile create': 'first',
  'profile delete': 'first',
  'profile rename': 'first',
  'profile use': 'first',
  'profile move': 'first',
  'profile wall': 'first',
  'profile export': 'first',
  'profile import': 'made',
  'backup create': 'none',
  'backup schedule': 'schedule',
  restore: 'home',
  'import upstream': 'home',
  'token create': 'made',
  'token revoke': 'made',
  'kanban create': 'made',
  'kanban edit': 'first',
  'kanban delete': 'first',
  'kanban assign': 'first',
  'kanban reassign': 'first',
  'kanban promote': 'first',
  'kanban schedule': 'first',
  'kanban complete': 'first',
  'kanban request-changes': 'first',
  'kanban block': 'first',
  'kanban unblock': 'first',
  'kanban archive': 'first',
  'kanban reclaim': 'first',
  'kanban link': 'first',
  'kanban unlink': 'first',
  'kanban comment': 'first',
  'kanban attach': 'first',
  'kanban detach': 'first',
  'kanban bulk': [],
  'kanban init': 'none',
  'kanban boards': ['list'],
  'kanban gc': 'none',
  'kanban dispatch': 'none',
  'kanban template': ['list', 'show'],
  'kanban routine': ['list', 'show'],
  'kanban settings': 'setting',
  'kanban import': 'none',
  'kanban migrate': 'none',
}

/** @returns undefined for a command that changes nothing */
export function changeBy(path: string, { args, options }: Input): CommandChange | undefined {
  const rule = Object.hasOwn(CHANGING, path) ? CHANGING[path] : undefined
  if (rule === undefined || options['dry-run'] === true || options.verify === true) return undefined
  const [first, second] = args
  const plain = { action: path, target: undefined, ofProfile: false, madeByIt: false }
  switch (rule) {
    case 'first':
      return { ...plain, target: first }
    case 'made':
      return { ...plain, madeByIt: true }
    case 'profile':
      return { ...plain, ofProfile: true }
    case 'profile first':
      return { ...plain, target: first, ofProfile: true }
    case 'none':
      return plain
    case 'setting':
      return second === undefined && options.unset !== true ? undefined : { ...plain, target: first }
    case 'schedule':
      return first === undefined && options.remove !== true ? undefined : plain
    case 'home':
      return options.into === undefined ? plain : undefined
    default:
      return rule.includes(first ?? '') ? undefined : { ...plain, action: `${path} ${first}`, target: second }
  }
}
