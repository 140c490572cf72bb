/** Takes over a home of the original hermes agent, whose form ours has: as a backup of it that is restored here. */
import { accessSync, constants, existsSync, readdirSync, statSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { JOURNAL } from '../../../backup/database.ts'
import { whyLeftOut } from '../../../backup/left-out.ts'
import { walk } from '../../../backup/walk.ts'
import { boardChanges } from '../../../kanban/sqlite/schema.ts'
import { loadConfig } from '../../../profile/config/config.ts'
import { listProfiles } from '../../../profile/directory/disk.ts'
import { DEFAULT_PROFILE } from '../../../profile/names.ts'
import { EXIT, HermesError } from '../../../system/errors.ts'
import { lookAtDatabase } from '../../../system/files/sqlite-look.ts'
import { oneLine, warningLine } from '../../../system/text/foreign-text.ts'
import { type Input, textOption } from '../../context/command.ts'
import type { Context } from '../../context/context.ts'
import { interruptible, sizeText, withProgress } from '../../context/progress.ts'
import type { Outcome } from '../../terminal/output.ts'
import { table } from '../../view/slots-view.ts'
import { hermesVersion } from '../frequent.ts'
import { bundle, refuseRunning } from './restore.ts'

/** At the top of such a home: the program itself, and what it installs. */
const PROGRAM = ['hermes-agent', '.worktrees', 'bin', 'node', 'node_modules', '.update_check']
/** At the top, and in each profile. */
const CACHES = [
  'cache',
  'image_cache',
  'audio_cache',
  'document_cache',
  'browser_screenshots',
  'checkpoints',
  'sandboxes',
  'state-snapshots',
]
const BOARD = /^(kanban|kanban\/boards\/[^/]+\/kanban)\.db$/
const WANTED = { secrets: true, logs: false } as const

/** Why a path of a home in `dir` is not taken, though a backup would have it. */
const passOver =
  (dir: string) =>
  (path: string): string | undefined => {
    if (PROGRAM.includes(path)) return 'belongs to the program, not to the home'
    if (CACHES.includes(path.replace(/^profiles\/[^/]+\//, ''))) return 'is a cache'
    return BOARD.test(path) && isForeignBoard(join(dir, path)) ? 'is a board of another form' : undefined
  }

function isForeignBoard(file: string): boolean {
  try {
    lookAtDatabase(file, (database) => boardChanges(database, file))
    return false
  } catch (error) {
    if (error instanceof HermesError) return true
    throw error
  }
}

interface Share {
  readonly profile: string
  files: number
  bytes: number
  /** Number of its settings that hermes does not know or accept. */
  readonly settings: number
}

interface Survey {
  readonly shares: readonly Share[]
  readonly leftOut: readonly { readonly path: string; readonly why: string }[]
}

/** Reads no file but config.yaml and boards. */
function surveyOf(dir: string): Survey {
  const leftOut: { path: string; why: string }[] = []
  const shares = new Map(
    listProfiles(dir).profiles.map(({ name, dir: own }): [string, Share] => {
      const settings = loadConfig(join(own, 'config.yaml')).problems.length
      return [name, { profile: name, files: 0, bytes: 0, settings }]
    }),
  )
  const passed = passOver(dir)
  const leave = (path: string, why: string): void => void leftOut.push({ path, why })
  const passes = (path: string): boolean => {
    const left = whyLeftOut(path, WANTED)
    const why = left === undefined ? passed(path) : left.usual === true ? undefined : left.why
    if (why !== undefined) leave(path, why)
    return left !== undefined || why !== undefined
  }
  for (const found of walk(dir, { passes, leave })) {
    if (found.type !== 'file' || JOURNAL.test(found.path)) continue
    const [, profile = DEFAULT_PROFILE] = /^profiles\/([^/]+)\//.exec(found.path) ?? []
    const share = shares.get(profile) ?? shares.get(DEFAULT_PROFILE)
    if (share === undefined) continue
    share.files += 1
    share.bytes += found.stat.size
  }
  return { shares: [...shares.values()], leftOut }
}

/** `hermes import upstream` */
export async function importUpstream(context: Context, input: Input): Promise<Outcome> {
  const from = resolve(input.args[0] ?? '')
  const into = resolve(textOption(input, 'into') ?? context.home)
  const isTrial = input.options['dry-run'] === true
  requireHome(from, into)
  if (into === resolve(context.home)) await refuseRunning(context)
  const survey = surveyOf(from)
  for (const { path, why } of survey.leftOut) context.output.err(warningLine(`left out: ${oneLine(path)} ${why}`))
  if (isTrial) {
    const taken = existsSync(into) ? readdirSync(into).find((name) => name !== 'lost+found') : undefined
    if (taken !== undefined)
      context.output.err(warningLine(`${into} is not empty: the import would be refused; name another one with --into`))
    return {
      ...report(survey, from, `nothing was written; it would go to ${into}`),
      exitCode: taken === undefined ? EXIT.done : EXIT.failed,
    }
  }
  await take(context, from, into)
  const { text, json } = report(survey, from, `it is in ${into}; every gateway stays stopped`)
  return { text: `${text}  next: hermes upgrade check; hermes -p NAME setup; hermes -p NAME gateway start\n`, json }
}

async function take(context: Context, from: string, into: string): Promise<void> {
  const { makeBackup, openBackup, restoreBackup } = bundle()
  const scratch = await mkdtemp(join(tmpdir(), 'hermes-import-'))
  try {
    const file = join(scratch, 'home.tar.gz')
    const versions = { hermes: hermesVersion(), node: process.versions.node }
    const { missing } = await withProgress(context, 'read', (progress) =>
      interruptible((signal) =>
        makeBackup({
          home: from,
          workIn: scratch,
          clock: context.clock,
          to: { path: file, isNew: false },
          wanted: WANTED,
          passOver: passOver(from),
          versions,
          progress,
          signal,
        }),
      ),
    )
    const [first] = missing
    if (first !== undefined)
      throw new HermesError('FAILED', `${join(from, first.path)} ${first.why}; nothing was imported`, {
        next: 'stop the program that uses it, or run the command as its owner',
      })
    const open = await openBackup(file, from, async () => '')
    await withProgress(context, 'written', (progress) =>
      interruptible((signal) => restoreBackup({ open, name: from, dir: into, startAsBefore: false, progress, signal })),
    )
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

/** @throws HermesError USAGE */
function requireHome(from: string, into: string): void {
  const isHome =
    statSync(from, { throwIfNoEntry: false })?.isDirectory() === true &&
    ['config.yaml', 'SOUL.md', 'profiles'].some((name) => existsSync(join(from, name)))
  if (!isHome)
    throw new HermesError('USAGE', `${from} is not a home: it has no config.yaml, SOUL.md or profiles`, {
      next: 'name the directory that the other program calls HERMES_HOME, such as ~/.hermes',
    })
  if (`${into}/`.startsWith(`${from}/`) || `${from}/`.startsWith(`${into}/`))
    throw new HermesError('USAGE', `${from} and ${into} are not two separate directories`, {
      next: 'name a new directory with --into',
    })
  try {
    accessSync(from, constants.W_OK)
  } catch (cause) {
    throw new HermesError('USAGE', `${from} cannot be written, and SQLite reads its databases only where it can`, {
      next: 'mount it writable, or run the command as its owner; its files stay as they are',
      cause,
    })
  }
}

function report({ shares, leftOut }: Survey, from: string, verdict: string): { text: string; json: unknown } {
  const rows = shares.map(({ profile, files, bytes, settings }) => [
    `  ${profile}`,
    `${files}`,
    sizeText(bytes),
    settings === 0 ? '' : `${settings} unknown: hermes -p ${profile} config check`,
  ])
  return {
    text: `${oneLine(from)}: ${verdict}\n${table([['  PROFILE', 'FILES', 'SIZE', 'SETTINGS'], ...rows])}`,
    json: { from, profiles: shares, left_out: leftOut },
  }
}
