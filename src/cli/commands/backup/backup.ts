import { existsSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { isatty } from 'node:tty'
import type { AddText } from '../../../backup/collect.ts'
import type { BackupBundle } from '../../../backup/program.ts'
import { type Boards, withBoard } from '../../../kanban/port/boards.ts'
import type { Snapshot } from '../../../kanban/port/transfer.ts'
import { findBoards } from '../../../kanban/store/boards.ts'
import { exportBoard } from '../../../kanban/transfer/export.ts'
import { DATABASE_SECRET } from '../../../system/dashboard-secrets.ts'
import { HermesError } from '../../../system/errors.ts'
import { makeDirectory } from '../../../system/files/directory.ts'
import { fileVariable } from '../../../system/secret-variables.ts'
import { warningLine } from '../../../system/text/foreign-text.ts'
import { type Input, textOption } from '../../context/command.ts'
import { type Context, warnOn } from '../../context/context.ts'
import { interruptible, withProgress } from '../../context/progress.ts'
import type { Outcome } from '../../terminal/output.ts'
import { hermesVersion } from '../frequent.ts'
import { parseKeep, removeOld, stampOf } from './keep.ts'
import { newPassphrase } from './passphrase.ts'
import { report } from './report.ts'

/** `hermes backup` */
export async function backup(context: Context, input: Input): Promise<Outcome> {
  const { makeBackup } = require('#bundle/backup.cjs') as BackupBundle
  const { home, clock } = context
  const { options } = input
  if (!existsSync(home))
    throw new HermesError('FAILED', `${home} does not exist, so there is nothing to back up`, {
      next: 'set HERMES_HOME',
    })
  const encrypt = options.encrypt === true
  const out = textOption(input, 'out')
  const keepText = textOption(input, 'keep')
  const keep = keepText === undefined ? undefined : parseKeep(keepText)
  if (keep !== undefined && out !== undefined)
    throw new HermesError('USAGE', '--keep is for backups in $HERMES_HOME/backups, so not with --out')
  if (out === '-' && isatty(1))
    throw new HermesError('USAGE', 'a backup is not for a terminal', { next: 'hermes backup --out FILE' })
  const passphrase = encrypt ? await newPassphrase(context) : undefined
  const file = out === '-' ? undefined : fileFor(out, home, stampOf(clock.wallMs()), encrypt)
  // Only if they are wanted: a database that is away, or whose address cannot be read, keeps no backup from the files.
  const boards =
    options['with-board'] === true ? await findBoards({ ...context, runDir: context.paths.runDir }) : undefined
  try {
    const made = await withProgress(context, 'saved', (progress) =>
      interruptible((signal) =>
        makeBackup({
          home,
          clock,
          to: file ?? process.stdout,
          wanted: { secrets: options['without-secrets'] !== true, logs: options['with-logs'] === true },
          versions: { hermes: hermesVersion(), node: process.versions.node },
          progress,
          signal,
          ...(passphrase !== undefined && { passphrase }),
          ...(boards?.kept === 'database' && { extras: exportsOf(context, boards) }),
        }),
      ),
    )
    if (boards === undefined && hasDatabase(context))
      context.output.err(warningLine('boards in a database are left out; hermes backup --with-board adds them'))
    // An incomplete backup takes the place of none.
    const removed = keep === undefined || made.missing.length > 0 ? [] : removeOld(backupsDir(home), keep)
    return report(context, made, file, removed)
  } finally {
    await boards?.close()
  }
}

/** Tells whether boards are in a database, as findBoards decides it, without asking for its address. */
const hasDatabase = ({ env, paths }: Context): boolean =>
  existsSync(paths.boardDir) || Boolean(env[DATABASE_SECRET] || env[fileVariable(DATABASE_SECRET)])

const backupsDir = (home: string): string => join(home, 'backups')

function fileFor(out: string | undefined, home: string, stamp: string, encrypt: boolean): string {
  if (out === undefined) {
    const dir = backupsDir(home)
    makeDirectory(dir, 0o700)
    return join(dir, `hermes-${stamp}.tar.gz${encrypt ? '.age' : ''}`)
  }
  const file = resolve(out)
  // A device or a FIFO would be replaced by a file.
  if (statSync(file, { throwIfNoEntry: false })?.isFile() !== false) return file
  throw new HermesError('USAGE', `${file} is not a regular file`, { next: `hermes backup --out - > ${out}` })
}

const exportsOf =
  (context: Context, boards: Boards) =>
  async (add: AddText): Promise<void> => {
    for (const place of await boards.list())
      await withBoard(boards, place, { mode: 'read', warn: warnOn(context) }, (board) =>
        board.snapshot((snapshot) => add(`kanban-export/${place.slug}.jsonl`, textsOf(snapshot, place.slug))),
      )
  }

async function* textsOf(snapshot: Snapshot, slug: string): AsyncGenerator<string> {
  for await (const { text } of exportBoard(snapshot, slug)) yield text
}
