import { dirname, isAbsolute, join, normalize } from 'node:path'
import type { Manifest } from '../../../backup/manifest.ts'
import type { MadeBackup } from '../../../backup/program.ts'
import { EXIT } from '../../../system/errors.ts'
import { shellWord } from '../../../system/programs/sh-environment.ts'
import { oneLine, warningLine } from '../../../system/text/foreign-text.ts'
import type { Context } from '../../context/context.ts'
import { sizeText } from '../../context/progress.ts'
import type { Outcome } from '../../terminal/output.ts'

/** So many are printed; the manifest names more. */
const PRINTED = 20

/** Prints on standard error what the backup lacks. */
export function report(
  context: Context,
  made: MadeBackup,
  { removed, next }: { readonly removed: readonly string[]; readonly next: (file: string) => string },
): Outcome {
  const { manifest, missing, leftOut, bytes, file } = made
  const { err } = context.output
  for (const { path, why } of missing.slice(0, PRINTED)) err(warningLine(`${oneLine(path)} ${why}; it is missing`))
  const others = manifest.leftOut.filter(({ path }) => !missing.some((one) => one.path === path))
  for (const { path, why } of others.slice(0, PRINTED)) err(warningLine(`left out: ${oneLine(path)} ${why}`))
  const more = leftOut - Math.min(missing.length, PRINTED) - Math.min(others.length, PRINTED)
  if (more > 0) err(warningLine(`${more} more are left out; ${file ?? 'the backup'} has their names in manifest.json`))
  const links = manifest.entries.filter(({ type }) => type === 'link')
  const [outside] = links.filter((entry) => entry.type === 'link' && leadsOut(entry))
  if (outside !== undefined)
    err(warningLine(`links are saved as links, without what they lead to, such as ${oneLine(outside.path)}`))
  const changed = manifest.entries.flatMap((entry) => (entry.type === 'file' && entry.changed ? [entry.path] : []))
  for (const path of changed.slice(0, PRINTED)) err(warningLine(`${oneLine(path)} changed while it was read`))
  const exitCode = missing.length > 0 ? EXIT.failed : EXIT.done
  if (missing.length > 0) err(`hermes: the backup is there, without ${missing.length} files or directories\n`)
  if (file === undefined) return { exitCode }
  return {
    text: `${file}: ${countsText(manifest)}, ${sizeText(bytes)}\n${removed.map((name) => `  removed ${name}\n`).join('')}  next: copy it to another machine; ${next(shellWord(file))}\n`,
    json: { file, bytes, ...countsOf(manifest), missing, left_out: others, changed, removed },
    exitCode,
  }
}

/** Tells whether a link may lead to something that is not in the home. */
const leadsOut = ({ path, to }: { readonly path: string; readonly to: string }): boolean =>
  isAbsolute(to) || normalize(join(dirname(path), to)).startsWith('..')

export const countsOf = ({ entries }: Manifest) => ({
  files: entries.filter(({ type }) => type === 'file').length,
  databases: entries.filter((entry) => entry.type === 'file' && entry.database).length,
})

/** `340 files, 4 databases` */
export function countsText(manifest: Manifest): string {
  const { files, databases } = countsOf(manifest)
  const plural = (n: number, one: string): string => `${n} ${one}${n === 1 ? '' : 's'}`
  return `${plural(files, 'file')}, ${plural(databases, 'database')}`
}
