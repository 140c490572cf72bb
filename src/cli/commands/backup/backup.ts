import { existsSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import type { AddText } from '../../../backup/collect.ts'
import type { BackupBundle } from '../../../backup/program.ts'
import { type Boards, withBoard } from '../../../kanban/port/boards.ts'
import type { Snapshot } from '../../../kanban/port/transfer.ts'
import { findBoards, isInDatabase } from '../../../kanban/store/boards.ts'
import { exportBoard } from '../../../kanban/transfer/export.ts'
import { HermesError } from '../../../system/errors.ts'
import { warningLine } from '../../../system/text/foreign-text.ts'
import { type Input, textOption } from '../../context/command.ts'
import { type Context, warnOn } from '../../context/context.ts'
import { interruptible, withProgress } from '../../context/progress.ts'
import type { Outcome } from '../../terminal/output.ts'
import { hermesVersion } from '../frequent.ts'
import { destinationOf } from './destination.ts'
import { parseKeep, removeOld } from './keep.ts'
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
  const file = destinationOf({ out, home, word: 'hermes', wallMs: clock.wallMs(), encrypt })
  if (keep !== undefined && file?.isNew !== true)
    throw new HermesError('USAGE', '--keep is for a directory of backups, so not with --out FILE', {
      next: 'name a directory with --out, or leave --out away: $HERMES_HOME/backups',
    })
  const passphrase = encrypt ? await newPassphrase(context) : undefined
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
    if (boards === undefined && isInDatabase({ env: context.env, runDir: context.paths.runDir }))
      context.output.err(warningLine('boards in a database are left out; hermes backup --with-board adds them'))
    // An incomplete backup takes the place of none.
    const removed =
      keep === undefined || made.file === undefined || made.missing.length > 0
        ? []
        : removeOld(dirname(made.file), keep, basename(made.file))
    return report(context, made, { removed, next: (name) => `hermes restore --verify ${name}` })
  } finally {
    await boards?.close()
  }
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
