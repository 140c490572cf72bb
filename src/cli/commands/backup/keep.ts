/** Backups in the home that have become old. */
import { lstatSync, readdirSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'
import { HermesError } from '../../../system/errors.ts'

/** Names that sort by time. */
const NAME = /^hermes-\d{8}T\d{6}Z(?:-\d+)?\.tar\.gz(?:\.age)?$/

/** @throws HermesError USAGE */
export function parseKeep(text: string): number {
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text)
  throw new HermesError('USAGE', `--keep takes a whole number from 1 on, not ${JSON.stringify(text.slice(0, 60))}`)
}

/**
 * The backups that are to go: all but the newest. Other files count for nothing.
 * @param made the one that was just made. It stays, also where its name sorts before others because the clock was set
 * back
 */
export function tooOld(names: readonly string[], keep: number, made: string): readonly string[] {
  const others = names.filter((name) => NAME.test(name) && name !== made).sort()
  return others.slice(0, Math.max(0, others.length - (keep - 1)))
}

/**
 * Removes old backups. Only regular files: a link of that name is not one of ours.
 * @param made name of the one that was just made
 * @returns their names
 * @throws the error of the file system
 */
export function removeOld(dir: string, keep: number, made: string): readonly string[] {
  const files = readdirSync(dir).filter((name) => lstatSync(join(dir, name), { throwIfNoEntry: false })?.isFile())
  const old = tooOld(files, keep, made)
  for (const name of old) unlinkSync(join(dir, name))
  return old
}
