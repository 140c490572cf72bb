/** Files that are attached to tasks: they come in, and go out, as bytes that no browser shows. */
import type { Rights } from '../../access/scope.ts'
import { readWrittenRules } from '../../kanban/dispatch/settings.ts'
import { time } from '../../kanban/json.ts'
import type { Board } from '../../kanban/port/board.ts'
import {
  attach,
  detach,
  type ListedAttachment,
  listAttachments,
  readAttachment,
} from '../../kanban/store/attachments.ts'
import { HermesError } from '../../system/errors.ts'
import type { Attachment } from '../contract/board.ts'
import type { Handlers } from '../contract/handler.ts'
import { conflict, notFound } from '../gate/refusals.ts'
import { readUpload } from '../http/body.ts'
import { type BoardFacts, boardAccess, knownTask } from './access.ts'
import { downloadHeaders } from './download.ts'

type Names = 'attachments' | 'attachFile' | 'readAttachment' | 'detachFile'

export function attachmentHandlers(facts: BoardFacts): Pick<Handlers, Names> {
  const { slugOf, onBoard, actor } = boardAccess(facts)
  return {
    attachments: async ({ params: { id = '' }, query, rights }) => {
      const attachments = await onBoard(slugOf(query), 'read', async (board) => {
        await knownTask(board, id, rights)
        return (await attachmentsOf(board, id)) ?? []
      })
      return { status: 200, body: { attachments } }
    },
    attachFile: async ({ params: { id = '' }, query, viewer, incoming, rights }) => {
      const bytes = await readUpload(incoming, readWrittenRules(facts.home).attachmentMaxBytes)
      const made = await onBoard(slugOf(query), 'write', async (board) => {
        await knownTask(board, id, rights)
        return attach(board, id, { name: query.name, bytes }, actor(viewer))
      })
      return { status: 201, body: asAttachment(made) }
    },
    readAttachment: async ({ params: { id = '', name = '' }, query, rights }) => {
      const bytes = await onBoard(slugOf(query), 'read', async (board) => {
        await knownAttachment(board, id, name, rights)
        try {
          return await readAttachment(board, id, name)
        } catch (error) {
          // The file is not what was attached: a conflict, and no fault of the dashboard.
          if (error instanceof HermesError && error.code === 'FAILED') throw conflict(error.message, error.next)
          throw error
        }
      })
      return { status: 200, bytes, headers: downloadHeaders(name) }
    },
    detachFile: async ({ params: { id = '', name = '' }, query, viewer, rights }) => {
      await onBoard(slugOf(query), 'write', async (board) => {
        await knownAttachment(board, id, name, rights)
        await detach(board, id, name, actor(viewer))
      })
      return { status: 200, body: { task_id: id, name, detached: true } }
    },
  }
}

/** The attachments of a task; undefined: its board is in a database, and has none. */
export const attachmentsOf = async (board: Board, id: string): Promise<readonly Attachment[] | undefined> =>
  board.place.file === undefined ? undefined : (await listAttachments(board, id)).map(asAttachment)

const asAttachment = ({ name, sizeBytes, sha256, atMs, by, state }: ListedAttachment): Attachment => ({
  name,
  size_bytes: sizeBytes,
  sha256,
  at: time(atMs) ?? '',
  by,
  state,
})

/** @throws RefusedRequest 404 */
async function knownAttachment(board: Board, id: string, name: string, rights: Rights | undefined): Promise<void> {
  await knownTask(board, id, rights)
  if ((await board.attachments(id)).some((one) => one.name === name)) return
  throw notFound(`the task ${id} has no attachment ${JSON.stringify(name.slice(0, 120))}`)
}
