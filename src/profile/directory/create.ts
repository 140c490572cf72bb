import { closeSync, constants, promises } from 'node:fs'
import { join } from 'node:path'
import { hasCode } from '../../system/error-code.ts'
import { HermesError } from '../../system/errors.ts'
import { isThere, makeDirectory } from '../../system/files/directory.ts'
import { syncDirectory, writeNewFile } from '../../system/files/replace-file.ts'
import { openRegular, readRegularFile, UnreadableFile } from '../../system/files/small-file.ts'
import { homePaths, profileDir } from '../../system/paths.ts'
import { MAX_CONFIG_BYTES } from '../config/config.ts'
import { DEFAULT_PROFILE } from '../names.ts'
import { replaceFile } from '../replace-file.ts'
import { refuseWalled } from '../walled.ts'
import { refuseUnfinished } from './remainders.ts'
import {
  childPath,
  type Progress,
  removeTree,
  stagingName,
  sweepLeftovers,
  trackStaging,
  unlessMissing,
} from './staging.ts'
import {
  CONFIG_MODE,
  describedConfigText,
  dotEnvText,
  HOME_DIRECTORIES,
  PROFILE_DIRECTORIES,
  soulText,
} from './templates.ts'

export interface CreateOptions {
  readonly description?: string
  /**
   * An existing profile: its settings, credentials, memories and skills are copied; sessions, logs and state are not.
   */
  readonly cloneFrom?: string
  /** Called for every file that is copied, or removed because an earlier command left it. */
  readonly progress?: Progress
  /** Ends it on the way: nothing is left then. */
  readonly signal?: AbortSignal
}

/** Files that a clone copies. */
const CLONED = ['config.yaml', 'SOUL.md', '.env', 'auth.json', 'memories', 'skills'] as const
const PRIVATE_FILES: readonly string[] = ['.env', 'auth.json']
/**
 * Creates `profiles/<name>/` completely or not at all: builds it under a dot name in `profiles/` (the same file
 * system, whatever is mounted there), syncs it, and renames it. A kill in between leaves only a dot name, which other
 * programs ignore and the next command removes.
 * @param name as parseProfileName returns it
 * @returns the profile's directory
 * @throws HermesError EXISTS when it exists, is on its way between nodes, or another create was faster
 */
export async function createProfile(home: string, name: string, options: CreateOptions = {}): Promise<string> {
  if (options.cloneFrom !== undefined) refuseWalled(home, options.cloneFrom, 'copied')
  const dir = profileDir(home, name)
  const parent = homePaths(home).profiles
  makeDirectory(parent)
  await refuseExisting(dir, name)
  refuseUnfinished(home, name)
  await sweepLeftovers(parent, options.progress)
  const staging = join(parent, stagingName('new', name))
  await promises.mkdir(staging)
  const copied = trackStaging(staging, options.progress)
  const onEach = (bytes: number): void => {
    options.signal?.throwIfAborted()
    copied(bytes)
  }
  try {
    if (options.cloneFrom !== undefined) await cloneInto(staging, profileDir(home, options.cloneFrom), onEach)
    await fill(staging, name, options.description)
    await moveIntoPlace(staging, dir, name)
  } catch (error) {
    await removeTree(Buffer.from(staging))
    throw error
  }
  await syncDirectory(parent)
  return dir
}

/**
 * Gives a directory that was built in `profiles/` its name.
 * @throws HermesError EXISTS, also for a profile that was created in the meantime: a directory with something in it is
 * never replaced (rename(2))
 */
export async function moveIntoPlace(staging: string, dir: string, name: string): Promise<void> {
  await refuseExisting(dir, name)
  try {
    await promises.rename(staging, dir)
  } catch (error) {
    if (hasCode(error, 'ENOTEMPTY', 'EEXIST')) throw existsAlready(name, dir)
    throw error
  }
}

async function refuseExisting(dir: string, name: string): Promise<void> {
  try {
    await promises.lstat(dir)
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return
    throw error
  }
  throw existsAlready(name, dir)
}

const existsAlready = (name: string, dir: string): HermesError =>
  new HermesError('EXISTS', `profile "${name}" already exists: ${dir}`, {
    next: `hermes profile show ${name}; hermes profile delete ${name} removes it`,
  })

/** Adds what is not there yet; a clone brings some of it along. */
async function fill(dir: string, name: string, description: string | undefined): Promise<void> {
  for (const sub of PROFILE_DIRECTORIES) makeDirectory(join(dir, sub))
  await writeUnlessThere(join(dir, 'SOUL.md'), soulText(name), 0o644)
  await writeUnlessThere(join(dir, '.env'), dotEnvText(), 0o600)
  const config = join(dir, 'config.yaml')
  if (
    !(await writeUnlessThere(config, describedConfigText(false, description), CONFIG_MODE)) &&
    description !== undefined
  ) {
    const { setConfigValue } = await import('../config/edit/edit.ts')
    const text = readRegularFile(config, MAX_CONFIG_BYTES) ?? ''
    await replaceFile(config, setConfigValue(text, 'description', JSON.stringify(description)), CONFIG_MODE)
  }
  await syncDirectory(dir)
}

async function writeUnlessThere(file: string, text: string, mode: number): Promise<boolean> {
  try {
    await writeNewFile(file, text, mode)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

async function cloneInto(dir: string, source: string, copied: Progress): Promise<void> {
  for (const name of CLONED) {
    await copyTree(Buffer.from(join(source, name)), Buffer.from(join(dir, name)), copied)
    if (PRIVATE_FILES.includes(name)) await chmodIfThere(join(dir, name), 0o600)
  }
}

/**
 * Copies files, directories and links (as links). Sockets, FIFOs and devices are not settings, so they are skipped.
 * Names and links are handled as bytes, because decoding would change names that are not UTF-8.
 */
async function copyTree(from: Buffer, to: Buffer, copied: Progress): Promise<void> {
  const stat = await promises.lstat(from).catch(unlessMissing)
  if (stat?.isSymbolicLink()) await promises.symlink(await promises.readlink(from, 'buffer'), to)
  else if (stat?.isDirectory()) {
    await promises.mkdir(to, { mode: stat.mode & 0o777 })
    for (const name of await promises.readdir(from, 'buffer'))
      await copyTree(childPath(from, name), childPath(to, name), copied)
    await syncDirectory(to)
  } else if (stat?.isFile()) {
    if (!(await copyRegular(from, to))) return
    const handle = await promises.open(to, constants.O_RDONLY)
    await handle.sync().finally(() => handle.close())
    copied(stat.size)
  }
}

/** Copies the file that was checked: a FIFO put in its place would block copyFile indefinitely. */
async function copyRegular(from: Buffer, to: Buffer): Promise<boolean> {
  let fd: number
  try {
    fd = openRegular(from, 'refused').fd
  } catch (error) {
    if (error instanceof UnreadableFile) return false
    throw error
  }
  try {
    await promises.copyFile(`/proc/self/fd/${fd}`, to, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE)
    return true
  } finally {
    closeSync(fd)
  }
}

async function chmodIfThere(file: string, mode: number): Promise<void> {
  const stat = await promises.lstat(file).catch(unlessMissing)
  if (stat?.isFile()) await promises.chmod(file, mode)
}

/**
 * Fills a new volume: settings, prompt, `.env` and directories of the default profile. Only what is missing, and only
 * as long as the volume has no gateway_state.json, which every run leaves: what a user deletes later stays deleted.
 * @returns what it made, by name in `home`
 */
export async function seedHome(home: string): Promise<readonly string[]> {
  const made: string[] = []
  // Side by side, as the first gateway waits for it, and a disk syncs many files in the time of one.
  const makeAll = (names: readonly string[]): Promise<unknown> =>
    Promise.all(
      names.map(async (name) => {
        if (makeDirectory(join(home, name))) made.push(`${name}/`)
      }),
    )
  await makeAll(HOME_DIRECTORIES)
  if (isThere(join(home, 'gateway_state.json'))) return made.sort()
  await makeAll(PROFILE_DIRECTORIES)
  const files: readonly (readonly [string, string, number])[] = [
    ['config.yaml', describedConfigText(true, undefined), CONFIG_MODE],
    ['SOUL.md', soulText(DEFAULT_PROFILE), 0o644],
    ['.env', dotEnvText(), 0o600],
  ]
  await Promise.all(
    files.map(async ([name, text, mode]) => {
      const file = join(home, name)
      if (isThere(file)) return
      await replaceFile(file, text, mode)
      made.push(name)
    }),
  )
  return made.sort()
}
