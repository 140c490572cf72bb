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
 * Finds the command that the user most likely meant: a longer name that starts with the typed word, then a command
 * inside a group (`start` is `gateway start`), then the nearest spelling.
 * @param words as typed
 * @returns words after `hermes`, including the names typed after a command inside a group; undefined if nothing is
 * near
 */
export function suggestion(words: readonly string[], commands: readonly Command[]): string | undefined {
  const [first = '', second = ''] = words
  if (first === '') return undefined
  const paths = commands.map(({ path }) => path.split(' '))
  const siblings = paths.flatMap(([group, word]) => (group === first && word !== undefined ? [word] : []))
  if (siblings.length > 0) {
    const word = likeliest(second, siblings)
    return word === undefined ? undefined : `${first} ${word}`
  }
  const firsts = [...new Set(paths.map(([one = '']) => one))]
  const longer = shortest(firsts.filter((one) => one.startsWith(first)))
  if (longer !== undefined) return longer
  const names = words.slice(1).filter((word) => !word.startsWith('-'))
  const elsewhere = Object.hasOwn(ELSEWHERE, first) ? ELSEWHERE[first] : undefined
  const inside = elsewhere ?? commandInGroup(first, paths)
  return inside === undefined ? nearest(first, firsts) : [inside, ...names].join(' ')
}

/** Groups are listed in the order of use: the first match wins. */
function commandInGroup(word: string, paths: readonly (readonly string[])[]): string | undefined {
  const find = (fits: (inner: string) => boolean): string | undefined =>
    paths.find(([, inner]) => inner !== undefined && fits(inner))?.join(' ')
  return find((inner) => inner === word) ?? (word.length < 3 ? undefined : find((inner) => inner.startsWith(word)))
}

const likeliest = (word: string, candidates: readonly string[]): string | undefined =>
  (word === '' ? undefined : shortest(candidates.filter((one) => one.startsWith(word)))) ?? nearest(word, candidates)

const shortest = (words: readonly string[]): string | undefined => [...words].sort((a, b) => a.length - b.length)[0]
