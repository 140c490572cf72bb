import { closeSync, constants, fstatSync, lstatSync, openSync, renameSync, unlinkSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { livingHolder } from '../../profile/state/pid-file.ts'
import { oneLine } from '../../system/text/foreign-text.ts'
import type { ReconcileStep } from './plan.ts'

/** Beyond it `container-boot.log` becomes `container-boot.log.1`. */
export const MAX_BOOT_LOG_BYTES = 256 * 1024

/**
 * The lines of one boot: `default` first, then by name. `profiles/default/` is omitted, because it is not a profile
 * and `default` has a line already; its warning is enough.
 * @param atMs Unix ms
 */
export function bootLines(steps: readonly ReconcileStep[], atMs: number): readonly string[] {
  const stamp = new Date(atMs).toISOString()
  const lines: { name: string; text: string }[] = []
  for (const step of steps) {
    if (step.type === 'register') {
      const action = step.start ? 'started' : 'registered'
      const prior = `prior_state=${step.priorState ?? 'none'}`
      lines.push({ name: step.profile, text: `${prior} action=${action} prior_exit=${step.priorExit}` })
    } else if (step.type === 'skip' && step.name !== 'default') {
      const text = `prior_state=none action=skipped prior_exit=unknown reason=${quoted(step.reason)}`
      lines.push({ name: step.name, text })
    }
  }
  const more = steps.flatMap((step) => (step.type === 'skip-more' ? [step.count] : []))
  lines.sort((a, b) => rank(a.name) - rank(b.name) || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
  return [
    ...lines.map(({ name, text }) => `${stamp} profile=${fieldText(name)} ${text}`),
    ...more.map((count) => `${stamp} profile=* action=skipped reason="and ${count} more"`),
  ]
}

const rank = (name: string): number => (name === 'default' ? 0 : 1)
/** A name with a space, a quote, an equals sign or a control character would break the line it stands in. */
const fieldText = (name: string): string => (/^[\w./@+:-]+$/.test(name) ? name : quoted(name))
const quoted = (text: string): string => oneLine(JSON.stringify(text))

/**
 * Appends whole lines, as many in one write as fit; before a line that would pass the limit the log is moved aside.
 * @throws Error when the file is not a regular one; the error of the file system
 */
export function appendBootLog(file: string, lines: readonly string[]): void {
  let size = lstatSync(file, { throwIfNoEntry: false })?.size ?? 0
  let held: Buffer[] = []
  for (const line of lines) {
    const bytes = Buffer.from(`${line}\n`)
    if (size > 0 && size + bytes.length > MAX_BOOT_LOG_BYTES) {
      appendWhole(file, held)
      renameSync(file, `${file}.1`)
      held = []
      size = 0
    }
    held.push(bytes)
    size += bytes.length
  }
  appendWhole(file, held)
}

function appendWhole(file: string, pieces: readonly Buffer[]): void {
  if (pieces.length === 0) return
  const text = Buffer.concat(pieces)
  const { O_WRONLY, O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK, O_NOCTTY } = constants
  const fd = openSync(file, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0o644)
  try {
    if (!fstatSync(fd).isFile()) throw new Error(`${file} is not a regular file; remove it`)
    for (let at = 0; at < text.length; ) at += writeSync(fd, text, at)
  } finally {
    closeSync(fd)
  }
}

/**
 * Removes files about a profile's processes that an earlier container left: `gateway.pid` and `processes.json`. Links
 * are removed, not followed. A gateway started by hand on this machine keeps its pid file.
 * @param isMain the container's main program is the profile's gateway: its pid file is expected
 * @returns a line for each file that stays
 */
export function removeStaleFiles(dir: string, profile: string, isMain = false): readonly string[] {
  const holder = livingHolder(dir, profile)
  const problems = removeFiles(dir, holder === undefined ? ['gateway.pid', 'processes.json'] : ['processes.json'])
  if (holder === undefined || isMain) return problems
  const file = join(dir, 'gateway.pid')
  return [`${file} stays: process ${holder.pid} holds it; stop that gateway, or this one cannot start`, ...problems]
}

/** Removes what a copied directory has taken over from its original. @returns a line for each file that stays */
export const removeCopiedFiles = (dir: string): readonly string[] =>
  removeFiles(dir, ['gateway.pid', 'processes.json', 'gateway_state.json', 'desired_state'])

function removeFiles(dir: string, names: readonly string[]): readonly string[] {
  return names.flatMap((name) => {
    const file = join(dir, name)
    try {
      unlinkSync(file)
      return []
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code
      // On a read-only mount unlink(2) does not look whether it is there.
      const isGone = code === 'ENOENT' || lstatSync(file, { throwIfNoEntry: false }) === undefined
      return isGone ? [] : [`cannot remove the stale ${file} (${code}); remove it by hand`]
    }
  })
}
