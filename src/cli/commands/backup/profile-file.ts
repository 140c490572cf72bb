/** A profile as one file, and back. */
import { join, resolve } from 'node:path'
import { STANDARD_INPUT } from '../../../backup/unpack.ts'
import { addSlotOf } from '../../../control/profile-actions.ts'
import { requireProfile } from '../../../profile/directory/disk.ts'
import { refuseDefault } from '../../../profile/directory/remove.ts'
import { shellWord } from '../../../system/programs/sh-environment.ts'
import { oneLine, warningLine } from '../../../system/text/foreign-text.ts'
import { type Input, textOption } from '../../context/command.ts'
import type { Context } from '../../context/context.ts'
import { interruptible, withProgress } from '../../context/progress.ts'
import type { Outcome } from '../../terminal/output.ts'
import { hermesVersion } from '../frequent.ts'
import { destinationOf } from './destination.ts'
import { newPassphrase, passphraseOf } from './passphrase.ts'
import { countsOf, report } from './report.ts'
import { bundle, madeText } from './restore.ts'

/** `hermes profile export` */
export async function exportProfile(context: Context, input: Input): Promise<Outcome> {
  const { home, clock } = context
  const name = (input.args[0] ?? '').trim().toLowerCase()
  refuseDefault(name, 'exported')
  const { dir } = requireProfile(home, name)
  const encrypt = input.options.encrypt === true
  const to = destinationOf({ out: textOption(input, 'out'), home, word: name, wallMs: clock.wallMs(), encrypt })
  const passphrase = encrypt ? await newPassphrase(context) : undefined
  const made = await withProgress(context, 'saved', (progress) =>
    interruptible((signal) =>
      bundle().makeBackup({
        home: dir,
        profile: name,
        workIn: home,
        clock,
        to: to ?? process.stdout,
        wanted: { secrets: input.options['without-secrets'] !== true, logs: false },
        versions: { hermes: hermesVersion(), node: process.versions.node },
        progress,
        signal,
        ...(passphrase !== undefined && { passphrase }),
      }),
    ),
  )
  return report(context, made, { removed: [], next: (file) => `hermes profile import ${file}` })
}

/** `hermes profile import` */
export async function importFile(context: Context, input: Input): Promise<Outcome> {
  const [file = ''] = input.args
  if (file !== '-') return importFrom(context, input, resolve(file), file)
  await using spooled = await bundle().spool(process.stdin)
  return await importFrom(context, input, spooled.file, STANDARD_INPUT)
}

async function importFrom(context: Context, input: Input, file: string, from: string): Promise<Outcome> {
  const { importProfile, openBackup } = bundle()
  const open = await openBackup(file, from, () => passphraseOf(context, ['Passphrase of the file: ']))
  const { manifest, name, dir } = await withProgress(context, 'imported', (progress) =>
    interruptible((signal) =>
      importProfile({ home: context.home, as: textOption(input, 'name'), open, name: from, progress, signal }),
    ),
  )
  const { err } = context.output
  const { problem } = await addSlotOf(context, name)
  if (problem !== undefined) err(warningLine(`its slot appears later: ${oneLine(problem)}`))
  if (!manifest.secrets) err(warningLine(`the file has no secrets: set the keys again with hermes -p ${name} login`))
  return {
    text: `${dir}: ${madeText(manifest)}\n  its gateway stays stopped\n  next: edit ${shellWord(join(dir, 'config.yaml'))} and .env; hermes -p ${name} gateway start\n`,
    json: { name, dir, made: manifest.made, ...countsOf(manifest), secrets: manifest.secrets },
  }
}
