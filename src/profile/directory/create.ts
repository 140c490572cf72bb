import { closeSync, constants } from 'node:fs'
import { chmod, copyFile, lstat, mkdir, open, readdir, readlink, rename, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { HermesError } from '../../system/errors.ts'
import { makeDirectory } from '../../system/files/directory.ts'
import { syncDirectory, writeNewFile } from '../../system/files/replace-file.ts'
import { openRegular, readRegularFile, UnreadableFile } from '../../system/files/small-file.ts'
import { homePaths, profileDir } from '../../system/paths.ts'
import { MAX_CONFIG_BYTES } from '../config/config.ts'
import { isMissing, isThere } from '../files.ts'
import { DEFAULT_PROFILE } from '../names.ts'
import { replaceFile } from '../replace-file.ts'
import { inside, type Progress, removeTree, stagingName, sweepLeftovers, unlessMissing, working } from './staging.ts'
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
  /** An existing profile: its settings, credentials, memories and skills are copied; sessions, logs and state are not. */
  readonly cloneFrom?: string
  /** Told of every file that is copied, or removed because an earlier command left it. */
  readonly progress?: Progress
  /** Ends it on the way: nothing is left then. */
  readonly signal?: AbortSignal
}

/** What a clone takes over. */
const CLONED = ['config.yaml', 'SOUL.md', '.env', 'auth.json', 'memories', 'skills'] as const
const PRIVATE_FILES: readonly string[] = ['.env', 'auth.json']
/**
 * Makes `profiles/<name>/`, whole or not at all: it is built under a dot name in `profiles/` (one file system, whatever is mounted
 * there), synced, and renamed. Killed on the way, it leaves only a dot name behind, which nobody reads and the next command sweeps.
 * @param name as parseProfileName returns it
 * @returns the profile's directory
 * @throws HermesError EXISTS when there is one already, or another create was faster
 */
export async function createProfile(home: string, name: string, options: CreateOptions = {}): Promise<string> {
  const dir = profileDir(home, name)
  const parent = homePaths(home).profiles
  makeDirectory(parent)
  await refuseExisting(dir, name)
  await sweepLeftovers(parent, options.progress)
  const staging = join(parent, stagingName('new', name))
  await mkdir(staging)
  const copied = working(staging, options.progress)
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

/** Onto a profile that came up meanwhile this fails, because a directory that holds something is never replaced (rename(2)). */
async function moveIntoPlace(staging: string, dir: string, name: string): Promise<void> {
  await refuseExisting(dir, name)
  try {
    await rename(staging, dir)
  } catch (error) {
    if (['ENOTEMPTY', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '')) throw existsAlready(name, dir)
    throw error
  }
}

async function refuseExisting(dir: string, name: string): Promise<void> {
  try {
    await lstat(dir)
  } catch (error) {
    if (isMissing(error)) return
    throw error
  }
  throw existsAlready(name, dir)
}

const existsAlready = (name: string, dir: string): HermesError =>
  new HermesError('EXISTS', `profile "${name}" exists already: ${dir}`, {
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
    const { setConfigValue } = await import('../config/edit.ts')
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
 * Copies files, directories and links as links; a socket, FIFO or device is no setting and stays behind. Names and links are bytes:
 * decoded, one that is no UTF-8 would name nothing.
 */
async function copyTree(from: Buffer, to: Buffer, copied: Progress): Promise<void> {
  const stat = await lstat(from).catch(unlessMissing)
  if (stat?.isSymbolicLink()) await symlink(await readlink(from, 'buffer'), to)
  else if (stat?.isDirectory()) {
    await mkdir(to, { mode: stat.mode & 0o777 })
    for (const name of await readdir(from, 'buffer')) await copyTree(inside(from, name), inside(to, name), copied)
    await syncDirectory(to)
  } else if (stat?.isFile()) {
    if (!(await copyRegular(from, to))) return
    const handle = await open(to, constants.O_RDONLY)
    await handle.sync().finally(() => handle.close())
    copied(stat.size)
  }
}

/** The file that is copied is the one that was looked at: a FIFO put in its place meanwhile would hold up copyFile for ever. */
async function copyRegular(from: Buffer, to: Buffer): Promise<boolean> {
  let fd: number
  try {
    fd = openRegular(from, 'refused').fd
  } catch (error) {
    if (error instanceof UnreadableFile) return false
    throw error
  }
  try {
    await copyFile(`/proc/self/fd/${fd}`, to, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE)
    return true
  } finally {
    closeSync(fd)
  }
}

async function chmodIfThere(file: string, mode: number): Promise<void> {
  const stat = await lstat(file).catch(unlessMissing)
  if (stat?.isFile()) await chmod(file, mode)
}

/**
 * Fills a new volume: settings, prompt, `.env` and directories of the default profile. Only what is missing, and only as long as the
 * volume has no gateway_state.json, which every run leaves: what a user deletes later stays deleted.
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
  if (await isThere(join(home, 'gateway_state.json'))) return made.sort()
  await makeAll(PROFILE_DIRECTORIES)
  const files: readonly (readonly [string, string, number])[] = [
    ['config.yaml', describedConfigText(true, undefined), CONFIG_MODE],
    ['SOUL.md', soulText(DEFAULT_PROFILE), 0o644],
    ['.env', dotEnvText(), 0o600],
  ]
  await Promise.all(
    files.map(async ([name, text, mode]) => {
      const file = join(home, name)
      if (await isThere(file)) return
      await replaceFile(file, text, mode)
      made.push(name)
    }),
  )
  return made.sort()
}
