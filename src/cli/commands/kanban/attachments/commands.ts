/** Files that are attached to a task. */
import { writeFileSync } from 'node:fs'
import { basename } from 'node:path'
import { readWrittenRules } from '../../../../kanban/dispatch/settings.ts'
import { attach, detach, listAttachments, readAttachment } from '../../../../kanban/store/attachments.ts'
import { EXIT, HermesError } from '../../../../system/errors.ts'
import { readSmallBytes } from '../../../../system/files/small-file.ts'
import { oneLine } from '../../../../system/text/foreign-text.ts'
import { type Command, type Input, textOption } from '../../../context/command.ts'
import type { Context } from '../../../context/context.ts'
import type { Outcome } from '../../../terminal/output.ts'
import { attachmentJson, attachmentsTable } from '../render.ts'
import { actorOf, BOARD, ID, onBoard } from '../shared.ts'

const STDIN = '-'

export const ATTACHMENT_COMMANDS: readonly Command[] = [
  {
    path: 'kanban attach',
    summary: 'Add files to a task, so that its workers get their paths',
    arguments: [ID, { name: 'FILE', help: 'a file, or - for standard input', kind: 'many' }],
    options: [{ long: '--name', value: 'NAME', help: 'name of the attachment; default: that of the file' }, BOARD],
    details:
      'Files are copied, one after the other; the first one that cannot be attached ends the command. A name that is\n' +
      'taken is refused. A file may have kanban.attachment_max_bytes bytes, and a task 50 attachments.',
    run: attachFiles,
  },
  {
    path: 'kanban attachments',
    summary: 'List the attachments of a task, or write the content of one',
    arguments: [ID, { name: 'NAME', help: 'attachment whose content is written', kind: 'optional' }],
    options: [
      { long: '--output', short: '-o', value: 'FILE', help: 'a new file for the content; default: standard output' },
      BOARD,
    ],
    run: attachments,
  },
  {
    path: 'kanban detach',
    summary: 'Remove an attachment of a task',
    arguments: [ID, { name: 'NAME', help: 'name of the attachment, as shown by attachments', kind: 'required' }],
    options: [BOARD],
    run: detachOne,
  },
]

async function attachFiles(context: Context, input: Input): Promise<Outcome> {
  const [id = '', ...files] = input.args
  const name = textOption(input, 'name')
  if (files.length === 0)
    throw new HermesError('USAGE', 'attach needs a file', { next: `hermes kanban attach ${id || 'ID'} FILE` })
  if (name !== undefined && files.length > 1)
    throw new HermesError('USAGE', '--name names one attachment, and there are several files', {
      next: 'attach one file at a time',
    })
  if (name === undefined && files.includes(STDIN))
    throw new HermesError('USAGE', 'standard input has no name', { next: `hermes kanban attach ${id} - --name NAME` })
  const maxBytes = readWrittenRules(context.home).attachmentMaxBytes
  const done = await onBoard(context, input, 'write', async (board) => {
    const attached = []
    await board.require(id)
    for (const file of files) {
      const bytes = await content(file, maxBytes)
      attached.push(await attach(board, id, { name: name ?? basename(file), bytes }, actorOf(context, id)))
    }
    return attached
  })
  return {
    text: done.map((one) => `${id}: attached ${oneLine(one.name)} (${one.sizeBytes} bytes)\n`).join(''),
    json: { task_id: id, attached: done.map(attachmentJson) },
  }
}

async function content(file: string, maxBytes: number): Promise<Buffer> {
  if (file === STDIN) return readStdin(maxBytes)
  const { bytes, problem } = readSmallBytes(file, maxBytes)
  if (bytes !== undefined) return bytes
  throw new HermesError('USAGE', `${file} ${problem ?? 'does not exist'}`, {
    next: 'use a readable regular file with at most kanban.attachment_max_bytes bytes, or - for standard input',
  })
}

async function readStdin(maxBytes: number): Promise<Buffer> {
  const pieces: Buffer[] = []
  let size = 0
  for await (const piece of process.stdin as AsyncIterable<Buffer>) {
    size += piece.length
    if (size > maxBytes)
      throw new HermesError('USAGE', `standard input has more than ${maxBytes} bytes`, {
        next: 'raise kanban.attachment_max_bytes: hermes config set kanban.attachment_max_bytes BYTES',
      })
    pieces.push(piece)
  }
  return Buffer.concat(pieces)
}

async function attachments(context: Context, input: Input): Promise<Outcome> {
  const [id = '', name] = input.args
  const file = textOption(input, 'output')
  if (name === undefined) {
    if (file !== undefined)
      throw new HermesError('USAGE', '--output needs the NAME of an attachment', {
        next: `hermes kanban attachments ${id} NAME -o FILE`,
      })
    const found = await onBoard(context, input, 'read', (board) => listAttachments(board, id))
    return { text: attachmentsTable(found), json: found.map(attachmentJson) }
  }
  const bytes = await onBoard(context, input, 'read', (board) => readAttachment(board, id, name))
  if (file === undefined || file === STDIN) {
    const isWritten = await new Promise<boolean>((resolve) =>
      process.stdout.on('error', () => resolve(false)).write(bytes, (error) => resolve(error == null)),
    )
    return isWritten ? {} : { exitCode: EXIT.failed }
  }
  try {
    writeFileSync(file, bytes, { flag: 'wx' })
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST')
      throw new HermesError('REFUSED', `${file} is there already`, { next: 'choose another file, or remove it' })
    throw new HermesError('FAILED', `cannot write ${file} (${code})`, { next: 'choose another file', cause: error })
  }
  return {
    text: `${file}: ${bytes.length} bytes\n`,
    json: { task_id: id, name, file, size_bytes: bytes.length },
  }
}

async function detachOne(context: Context, input: Input): Promise<Outcome> {
  const [id = '', name = ''] = input.args
  await onBoard(context, input, 'write', (board) => detach(board, id, name, actorOf(context, id)))
  return { text: `${id}: detached ${oneLine(name)}\n`, json: { task_id: id, name, detached: true } }
}
