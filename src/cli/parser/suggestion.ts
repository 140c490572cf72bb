import { nearest } from '../../system/text/nearest.ts'
import type { Command } from '../context/command.ts'

/** Command names of other tools that resemble no command here. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  ps: 'status',
  ls: 'profile list',
  up: 'gateway start',
  down: 'gateway stop',
  rm: 'profile delete',
  remove: 'profile delete',
  add: 'profile create',
  new: 'profile create',
  tail: 'logs --follow',
}

/**
 * Finds the command that the user most likely meant: one that another tool has, a longer name that starts with the
 * typed word, then a command inside a group (`start` is `gateway start`), then the nearest spelling.
 * @param args as typed
 * @returns arguments after `hermes`, including the names typed after a command inside a group; undefined if nothing is
 * near
 */
export function suggestion(args: readonly string[], commands: readonly Command[]): string | undefined {
  const [first = '', second = ''] = args
  if (first === '') return undefined
  const paths = commands.map(({ path }) => path.split(' '))
  const siblings = paths.flatMap(([group, arg]) => (group === first && arg !== undefined ? [arg] : []))
  if (siblings.length > 0) {
    const arg = likeliest(second, siblings)
    return arg === undefined ? undefined : `${first} ${arg}`
  }
  const firsts = [...new Set(paths.map(([one = '']) => one))]
  const elsewhere = Object.hasOwn(ELSEWHERE, first) ? ELSEWHERE[first] : undefined
  const longer = elsewhere === undefined ? shortest(firsts.filter((one) => one.startsWith(first))) : undefined
  if (longer !== undefined) return longer
  const names = args.slice(1).filter((arg) => !arg.startsWith('-'))
  const inside = elsewhere ?? commandInGroup(first, paths)
  return inside === undefined ? nearest(first, firsts) : [inside, ...names].join(' ')
}

/** Groups are listed in the order of use: the first match wins. */
function commandInGroup(arg: string, paths: readonly (readonly string[])[]): string | undefined {
  const find = (fits: (inner: string) => boolean): string | undefined =>
    paths.find(([, inner]) => inner !== undefined && fits(inner))?.join(' ')
  return find((inner) => inner === arg) ?? (arg.length < 3 ? undefined : find((inner) => inner.startsWith(arg)))
}

const likeliest = (arg: string, candidates: readonly string[]): string | undefined =>
  (arg === '' ? undefined : shortest(candidates.filter((one) => one.startsWith(arg)))) ?? nearest(arg, candidates)

const shortest = (args: readonly string[]): string | undefined => [...args].sort((a, b) => a.length - b.length)[0]
