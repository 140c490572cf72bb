/** Files of a task. */
import { useSignal } from '@preact/signals'
import { useRef } from 'preact/hooks'
import type { Attachment } from '../../../contract/board.ts'
import { Failure } from '../../client/client.ts'
import { saveFile } from '../../client/save-file.ts'
import { bytes } from '../../core/format.ts'
import { Button } from '../../parts/button.tsx'
import { Confirm } from '../../parts/confirm.tsx'
import { useApp } from '../../stores/app-context.ts'

interface AttachmentsProps {
  readonly files: readonly Attachment[]
  readonly maxBytes: number
  /** Of the task, in the API. */
  readonly path: string
  readonly board: string | undefined
  /** Does something, and shows why it has failed. */
  readonly perform: (work: () => Promise<unknown>) => Promise<boolean>
}

export function Attachments({ files, maxBytes, path, board, perform }: AttachmentsProps) {
  const { client } = useApp()
  const chooser = useRef<HTMLInputElement>(null)
  const adding = useSignal(false)
  const removing = useSignal<string | undefined>(undefined)
  const pathOf = (name: string): string => `${path}/attachments/${encodeURIComponent(name)}`
  const add = async (input: HTMLInputElement): Promise<void> => {
    const chosen = [...(input.files ?? [])]
    adding.value = true
    for (const file of chosen) {
      await perform(() => {
        if (file.size > maxBytes) throw tooLarge(file, maxBytes)
        return client.upload(`${path}/attachments`, file, { board, name: file.name })
      })
    }
    input.value = ''
    adding.value = false
  }
  const save = (name: string): Promise<boolean> =>
    perform(async () => saveFile(name, await client.download(pathOf(name), { board })))
  const name = removing.value
  return (
    <section>
      <h3>Files</h3>
      <ul class="items files">
        {files.map((file) => (
          <li key={file.name}>
            <span>
              <button type="button" class="link" disabled={file.state !== 'there'} onClick={() => void save(file.name)}>
                {file.name}
              </button>{' '}
              <span class="muted">{bytes(file.size_bytes)}</span>{' '}
              {file.state !== 'there' && <span class="tag outcome-crashed">{file.state}</span>}
            </span>
            <Button
              needs="board"
              icon="close"
              label={`Remove ${file.name}`}
              tone="quiet"
              onClick={() => (removing.value = file.name)}
            />
          </li>
        ))}
      </ul>
      <input
        ref={chooser}
        type="file"
        multiple
        hidden
        aria-label="Files to add"
        onChange={(event) => void add(event.currentTarget)}
      />
      <Button needs="board" icon="plus" disabled={adding.value} onClick={() => chooser.current?.click()}>
        Add files
      </Button>
      {name !== undefined && (
        <Confirm
          title={`Remove ${name}`}
          action="Remove for good"
          perform={() => client.send('DELETE', pathOf(name), undefined, { board })}
          onClose={() => {
            removing.value = undefined
            void perform(async () => undefined)
          }}
        >
          <p>The file is deleted. A worker that is running may still be reading it.</p>
        </Confirm>
      )}
    </section>
  )
}

const tooLarge = ({ name, size }: File, maxBytes: number): Failure =>
  new Failure(413, {
    detail: `${name} has ${bytes(size)}, and a file may have ${bytes(maxBytes)}`,
    next: 'raise kanban.attachment_max_bytes in the config.yaml of the default profile',
  })
