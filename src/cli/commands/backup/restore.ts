import { join, resolve } from 'node:path'
import type { Manifest } from '../../../backup/manifest.ts'
import type { BackupBundle } from '../../../backup/program.ts'
import { STANDARD_INPUT } from '../../../backup/unpack.ts'
import { ifSupervised } from '../../../control/slot-actions.ts'
import { HermesError } from '../../../system/errors.ts'
import { shellWord } from '../../../system/programs/sh-environment.ts'
import { oneLine, warningLine } from '../../../system/text/foreign-text.ts'
import { type Input, textOption } from '../../context/command.ts'
import type { Context } from '../../context/context.ts'
import { interruptible, withProgress } from '../../context/progress.ts'
import type { Outcome } from '../../terminal/output.ts'
import { passphraseOf } from './passphrase.ts'
import { countsOf, countsText } from './report.ts'

export const bundle = (): BackupBundle => require('#bundle/backup.cjs') as BackupBundle

/** `hermes restore` */
export async function restore(context: Context, input: Input): Promise<Outcome> {
  const [file = ''] = input.args
  if (file !== '-') return restoreFrom(context, input, resolve(file), file)
  await using spooled = await bundle().spool(process.stdin)
  return await restoreFrom(context, input, spooled.file, STANDARD_INPUT)
}

async function restoreFrom(context: Context, input: Input, file: string, name: string): Promise<Outcome> {
  const { readBackup, restoreBackup, openBackup } = bundle()
  const dir = resolve(textOption(input, 'into') ?? context.home)
  const isCheck = input.options.verify === true
  if (!isCheck && dir === resolve(context.home)) await refuseRunning(context)
  const open = await openBackup(file, name, () => passphraseOf(context, ['Passphrase of the backup: ']))
  if (isCheck) {
    const manifest = await readBackup(await open(), name)
    return {
      text: `${name} is whole: ${madeText(manifest)}\n`,
      json: { file: name, made: manifest.made, home: manifest.home, ...countsOf(manifest), secrets: manifest.secrets },
    }
  }
  const startAsBefore = input.options['start-as-before'] === true
  const manifest = await withProgress(context, 'restored', (progress) =>
    interruptible((signal) => restoreBackup({ open, name, dir, startAsBefore, progress, signal })),
  )
  return restored(context, manifest, dir, startAsBefore)
}

export const madeText = (manifest: Manifest): string =>
  `${countsText(manifest)}; made ${oneLine(manifest.made)} of ${oneLine(manifest.home)}`

function restored({ output, home }: Context, manifest: Manifest, dir: string, startAsBefore: boolean): Outcome {
  if (!manifest.secrets) output.err(warningLine('the backup has no secrets: set the keys again with hermes login'))
  const boards = manifest.entries.flatMap(({ path }) =>
    /^kanban-export\/.+\.jsonl$/.test(path) ? [join(dir, path)] : [],
  )
  const ran = Object.keys(manifest.desired).filter((name) => manifest.desired[name] === 'running')
  const names = ran.map((name) => oneLine(name)).join(', ')
  const starts =
    ran.length === 0
      ? 'no gateway was to run'
      : startAsBefore
        ? `gateways that start at the next boot: ${names}`
        : `every gateway stays stopped; these ran: ${names}`
  const hermes = dir === resolve(home) ? 'hermes' : `HERMES_HOME=${shellWord(dir)} hermes`
  const next = [
    ...(startAsBefore || ran.length === 0 ? [] : [`${hermes} gateway start ${names.replaceAll(',', '')}`]),
    ...boards.map((board) => `${hermes} kanban import ${shellWord(oneLine(board))}`),
  ]
  return {
    text: `${dir}: ${madeText(manifest)}\n  ${starts}\n${next.map((line) => `  next: ${line}\n`).join('')}`,
    json: { dir, made: manifest.made, ...countsOf(manifest), ran, start_as_before: startAsBefore, boards },
  }
}

/** @throws HermesError REFUSED */
export async function refuseRunning(context: Context): Promise<void> {
  const runs = await ifSupervised(context, async () => true)
  if (runs !== true) return
  throw new HermesError('REFUSED', `hermes runs on ${context.home}; nothing was restored`, {
    next: 'stop it and use a new volume, or name a new directory with --into DIR',
  })
}
