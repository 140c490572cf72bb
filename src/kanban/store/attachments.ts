/** The files of attachments, beside the board. Agents can write there, so nothing that lies there is trusted. */
import { lstatSync, renameSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { HermesError } from '../../system/errors.ts'
import { directoryEntries, isThere, makeDirectory } from '../../system/files/directory.ts'
import { randomTag, syncDirectorySync, writeNewFile } from '../../system/files/replace-file.ts'
import { readSmallBytes } from '../../system/files/small-file.ts'
import {
  type Attachment,
  checkAttachmentName,
  type HandedFile,
  noAttachment,
  noFilesInDatabase,
} from '../attachments/attachment.ts'
import type { Actor, Board, BoardPlace } from '../port/board.ts'
import type { DamagedFile } from '../why.ts'
import { DEFAULT_BOARD } from './places.ts'

/** The group reads them as well: hermes runs under the runtime user, a person may be in its group. */
const MODE = 0o640
const DIRECTORY_MODE = 0o750
const SCRATCH = '.new-'
/** No attach takes so long; a scratch file that is older was left by one that was killed. */
const SCRATCH_MS = 3_600_000

/** Where the board has its attachments. @returns undefined: it is in a database, and has none */
export function attachmentsDir({ slug, file }: BoardPlace): string | undefined {
  if (file === undefined) return undefined
  return slug === DEFAULT_BOARD ? join(dirname(file), 'kanban', 'attachments') : join(dirname(file), 'attachments')
}

function taskDir(place: BoardPlace, id: string): string {
  const all = attachmentsDir(place)
  if (all === undefined) throw noFilesInDatabase(place.slug)
  // An import may have brought any id.
  if (/^[A-Za-z0-9_-]{1,64}$/.test(id)) return join(all, id)
  throw new HermesError('REFUSED', `a task with the id ${JSON.stringify(id.slice(0, 80))} cannot have attachments`)
}

/** `missing`: there is no such file; `changed`: it is not what was attached. */
type FileState = 'there' | DamagedFile['state']

export interface ListedAttachment extends Attachment {
  readonly path: string
  readonly state: FileState
}

/** The attachments of a task, by name. The size is compared, not the content. */
export async function listAttachments(board: Board, id: string): Promise<readonly ListedAttachment[]> {
  const found = await board.attachments(id)
  return found.map((one) => listed(board.place, id, one))
}

function listed(place: BoardPlace, id: string, one: Attachment): ListedAttachment {
  const path = join(taskDir(place, id), one.name)
  return { ...one, path, state: stateOf(path, one.sizeBytes) }
}

/** Attachments of one task whose files are missing or changed. */
export const damagedFiles = async (board: Board, id: string): Promise<readonly DamagedFile[]> =>
  damagedOf(await listAttachments(board, id))

/** How many attachments the tasks of a board have, and those whose files are missing or changed. */
export async function checkAttachments(
  board: Board,
): Promise<{ readonly count: number; readonly damaged: readonly (DamagedFile & { readonly taskId: string })[] }> {
  const all = await board.allAttachments()
  const damaged = all.flatMap((one) =>
    damagedOf([listed(board.place, one.taskId, one)]).map((file) => ({ taskId: one.taskId, ...file })),
  )
  return { count: all.length, damaged }
}

const damagedOf = (files: readonly ListedAttachment[]): readonly DamagedFile[] =>
  files.flatMap(({ name, path, state }) => (state === 'there' ? [] : [{ name, path, state }]))

/** No link to one. */
const isRealDirectory = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true

function stateOf(path: string, sizeBytes: number): FileState {
  try {
    if (!isRealDirectory(dirname(path)) || !isRealDirectory(dirname(dirname(path)))) return 'missing'
    const stat = lstatSync(path)
    return stat.isFile() && stat.size === sizeBytes ? 'there' : 'changed'
  } catch {
    return 'missing'
  }
}

/** Files for a worker: those that are there as they were attached. */
export const handedFiles = async (board: Board, id: string): Promise<readonly HandedFile[]> =>
  (await listAttachments(board, id))
    .filter(({ state }) => state === 'there')
    .map(({ name, sizeBytes, path }) => ({ name, sizeBytes, path }))

/**
 * Attaches a file. It is on the disk when this resolves; until then it is not listed.
 * @throws HermesError BAD_NAME; REFUSED: the name is taken, there are too many, the board is in a database; FAILED
 */
export async function attach(
  board: Board,
  id: string,
  { name, bytes }: { readonly name: string; readonly bytes: Buffer },
  actor: Actor,
): Promise<ListedAttachment> {
  checkAttachmentName(name)
  const directory = taskDir(board.place, id)
  await board.require(id)
  const { createHash } = await import('node:crypto') // here, because it would cost each command 7 ms
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  const path = join(directory, name)
  const scratch = join(directory, `${SCRATCH}${randomTag()}`)
  try {
    prepare(directory)
    await writeNewFile(scratch, bytes, MODE)
    await board.attach(
      id,
      { name, sizeBytes: bytes.length, sha256 },
      () => {
        renameSync(scratch, path)
        syncDirectorySync(directory)
      },
      actor,
    )
  } catch (error) {
    rmSync(scratch, { force: true })
    throw fileError(error, path)
  }
  return { name, sizeBytes: bytes.length, sha256, atMs: actor.wallMs, by: actor.name, path, state: 'there' }
}

/** A link in place of a directory would lead what is written elsewhere. */
function prepare(directory: string): void {
  makeDirectory(directory, DIRECTORY_MODE)
  for (const path of [dirname(directory), directory]) {
    if (isRealDirectory(path)) continue
    throw new HermesError('REFUSED', `${path} is a link, and attachments are not written through it`, {
      next: 'look at what it is, and remove it',
    })
  }
  for (const { name } of directoryEntries(directory)) {
    const path = join(directory, name)
    const stat = name.startsWith(SCRATCH) ? lstatSync(path, { throwIfNoEntry: false }) : undefined
    if (stat !== undefined && Date.now() - stat.mtimeMs > SCRATCH_MS) rmSync(path, { recursive: true, force: true })
  }
}

/** @throws HermesError FAILED: there is none, or its file is missing or is not what was attached */
export async function readAttachment(board: Board, id: string, name: string): Promise<Buffer> {
  const found = (await listAttachments(board, id)).find((one) => one.name === name)
  if (found === undefined) throw noAttachment(id, name)
  const { bytes, problem } = readSmallBytes(found.path, found.sizeBytes)
  if (bytes === undefined || found.state === 'missing')
    throw unlike(id, name, problem === undefined ? `${found.path} is missing` : `${found.path} ${problem}`)
  const { createHash } = await import('node:crypto')
  if (createHash('sha256').update(bytes).digest('hex') !== found.sha256)
    throw unlike(id, name, `${found.path} has been changed since it was attached`)
  return bytes
}

const unlike = (id: string, name: string, what: string): HermesError =>
  new HermesError('FAILED', what, {
    next: `attach it again: hermes kanban detach ${id} ${JSON.stringify(name)}, then hermes kanban attach ${id} FILE`,
  })

/** @throws HermesError FAILED: there is none of this name */
export async function detach(board: Board, id: string, name: string, actor: Actor): Promise<void> {
  const directory = taskDir(board.place, id)
  await board.detach(
    id,
    name,
    () => {
      // Below a link it is not ours.
      if (isRealDirectory(dirname(directory)) && isRealDirectory(directory))
        rmSync(join(directory, name), { recursive: true, force: true })
    },
    actor,
  )
}

/** Removes the files of a task that was removed. @returns whether there were any */
export function removeAttachments(place: BoardPlace, id: string): boolean {
  if (place.file === undefined || !/^[A-Za-z0-9_-]{1,64}$/.test(id)) return false
  const directory = taskDir(place, id)
  if (!isRealDirectory(dirname(directory)) || !isThere(directory)) return false
  rmSync(directory, { recursive: true, force: true })
  return true
}

function fileError(error: unknown, path: string): unknown {
  const { code, syscall, message } = error as NodeJS.ErrnoException
  if (error instanceof HermesError || syscall === undefined || code === undefined) return error
  return new HermesError('FAILED', `cannot store ${path}: ${message.split(',')[0]}`, {
    next: 'look at what lies there, and at the space and the rights of the volume',
    cause: error,
  })
}
