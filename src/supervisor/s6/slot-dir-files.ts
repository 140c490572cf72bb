import { chmodSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { encodeStatus, type ServiceStatus } from '../../protocol/s6.ts'
import { hasCode } from '../../system/error-code.ts'
import { makeDirectory } from '../../system/files/directory.ts'
import { replaceFileSync } from '../../system/files/replace-file.ts'
import { below } from '../../system/paths.ts'
import type { SignalName } from '../../system/signals.ts'

/** The part of a slot's definition that is visible in its directory. */
export interface SlotDirShape {
  /** No file `down`: it starts with the container. */
  readonly normallyUp: boolean
  readonly stopSignal: SignalName
  readonly stopTimeoutMs: number
  readonly notificationFd: number | null
}

const NEVER_STARTED = `#!/bin/sh
# Written anew at each start of the slot. It has not been started yet.
exit 111
`

/**
 * Creates a slot directory under another name and then renames it, so that a partial one is never visible.
 * @param scratch a dot-named sibling
 */
export function buildSlotDir(dir: string, scratch: string, shape: SlotDirShape, status: ServiceStatus): void {
  makeAnew(scratch)
  writeFileSync(below(scratch, 'type'), 'longrun\n')
  writeFileSync(below(scratch, 'run'), NEVER_STARTED, { mode: 0o700 })
  for (const [name, text] of shapeFiles(shape)) if (text !== null) writeFileSync(below(scratch, name), text)
  mkdirSync(below(scratch, 'supervise'), { mode: 0o700 })
  mkdirSync(below(scratch, 'event'))
  // mkdir(2) takes neither setgid nor, past the umask, group write.
  chmodSync(below(scratch, 'event'), 0o3730)
  writeFileSync(below(scratch, 'supervise', 'status'), encodeStatus(status))
  writeFileSync(below(scratch, 'supervise', 'death_tally'), '')
  try {
    renameSync(scratch, dir)
  } catch (error) {
    // An obstacle that is not a slot directory (no `type`): a file, or a directory made by hand.
    if (!hasCode(error, 'ENOTEMPTY', 'EEXIST', 'ENOTDIR')) throw error
    rmSync(dir, { recursive: true, force: true })
    renameSync(scratch, dir)
  }
}

/** Creates a directory; what a kill has left under its name goes. */
function makeAnew(dir: string): void {
  try {
    mkdirSync(dir)
  } catch (error) {
    if (hasCode(error, 'EEXIST')) rmSync(dir, { recursive: true, force: true })
    else if (!hasCode(error, 'ENOENT')) throw error
    makeDirectory(dir)
  }
}

/** @param before the shape its files are known to have; undefined: an earlier supervisor made them */
export function updateSlotDir(dir: string, shape: SlotDirShape, before: SlotDirShape | undefined): void {
  const old = before === undefined ? undefined : new Map(shapeFiles(before))
  for (const [name, text] of shapeFiles(shape)) {
    if (old !== undefined && old.get(name) === text) continue
    const file = below(dir, name)
    if (text === null) rmSync(file, { force: true })
    else replaceFileSync(file, text, { mode: 0o644 })
  }
}

export const sameShape = (a: SlotDirShape, b: SlotDirShape): boolean =>
  a.normallyUp === b.normallyUp &&
  a.stopSignal === b.stopSignal &&
  a.stopTimeoutMs === b.stopTimeoutMs &&
  a.notificationFd === b.notificationFd

/** The files that follow from the shape; null: there must be none of that name. */
const shapeFiles = (shape: SlotDirShape): readonly (readonly [name: string, text: string | null])[] => [
  ['down', shape.normallyUp ? null : ''],
  ['down-signal', `SIG${shape.stopSignal}\n`],
  ['timeout-kill', `${Math.round(shape.stopTimeoutMs)}\n`],
  // Its presence makes `s6-svc -wU` wait for readiness.
  ['notification-fd', shape.notificationFd === null ? null : `${shape.notificationFd}\n`],
]
