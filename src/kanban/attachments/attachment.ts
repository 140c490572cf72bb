/** Files that are attached to a task: what the board records of them, and the rules of their names. */
import { HermesError } from '../../system/errors.ts'

export interface NewAttachment {
  readonly name: string
  readonly sizeBytes: number
  /** In hexadecimal digits. */
  readonly sha256: string
}

export interface Attachment extends NewAttachment {
  readonly atMs: number
  readonly by: string
}

export interface TaskAttachment extends Attachment {
  readonly taskId: string
}

/** An attachment as a worker gets it. */
export interface HandedFile {
  readonly name: string
  readonly sizeBytes: number
  /** Absolute. */
  readonly path: string
}

export const MAX_ATTACHMENTS = 50
const MAX_NAME_BYTES = 120

/** @throws HermesError BAD_NAME */
export function checkAttachmentName(name: string): string {
  const isFine =
    name !== '' &&
    Buffer.byteLength(name) <= MAX_NAME_BYTES &&
    !name.startsWith('.') &&
    !/[/\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u.test(name)
  if (isFine) return name
  throw new HermesError('BAD_NAME', `${JSON.stringify(name.slice(0, 80))} cannot be the name of an attachment`, {
    next: `use 1 to ${MAX_NAME_BYTES} bytes without slashes and control characters, not beginning with a dot: --name NAME`,
  })
}

export const nameTaken = (id: string, name: string): HermesError =>
  new HermesError('REFUSED', `${id} has an attachment ${JSON.stringify(name)} already`, {
    next: `attach it under another name with --name, or first: hermes kanban detach ${id} ${JSON.stringify(name)}`,
  })

export const tooMany = (id: string): HermesError =>
  new HermesError('REFUSED', `${id} has ${MAX_ATTACHMENTS} attachments, and a task can have no more`, {
    next: `remove one: hermes kanban detach ${id} NAME`,
  })

export const noAttachment = (id: string, name: string): HermesError =>
  new HermesError('FAILED', `${id} has no attachment ${JSON.stringify(name.slice(0, 120))}`, {
    next: `hermes kanban attachments ${id} lists them`,
  })

/** The files of a board on several nodes would be on one of them only. */
export const noFilesInDatabase = (slug: string): HermesError =>
  new HermesError('REFUSED', `the board "${slug}" is in a database: an attachment would be on one node only`, {
    next: 'put the file where all nodes can read it, and name it in the body or a comment',
  })
