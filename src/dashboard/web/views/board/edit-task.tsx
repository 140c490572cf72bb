/** Corrects a task. */
import { useMemo } from 'preact/hooks'
import type { TaskDetails as Details } from '../../../contract/board.ts'
import { takeForm } from '../../client/form.ts'
import { Field } from '../../parts/field.tsx'
import { FormDialog } from '../../parts/form-dialog.tsx'
import { useApp } from '../../stores/app-context.ts'
import { useWork } from '../../stores/async.ts'

interface EditProps {
  readonly task: Details
  readonly board: string | undefined
  readonly onClose: () => void
}

/** As a text field shows it. */
const lines = (text: string): string => text.replaceAll(/\r\n?/g, '\n')

export function EditTask({ task, board, onClose }: EditProps) {
  const { client, notices } = useApp()
  const work = useWork()
  // As it was when this began: an edit over one that was not seen is refused.
  const before = useMemo(() => ({ title: task.title, body: task.body ?? '', priority: task.priority }), [])
  const submit = (event: SubmitEvent): Promise<void> => {
    const { trimmed, exact } = takeForm(event)
    const after = { title: trimmed('title'), body: lines(exact('body')), priority: Number(trimmed('priority')) }
    const edit = {
      ...(after.title !== before.title && { title: after.title }),
      ...(after.body !== lines(before.body) && { body: after.body }),
      ...(after.priority !== before.priority && { priority: after.priority }),
    }
    const was = Object.fromEntries(Object.entries(before).filter(([field]) => field in edit))
    return work.run(async () => {
      if (Object.keys(edit).length > 0) {
        await client.send('PATCH', `/api/kanban/tasks/${task.id}`, { ...edit, was }, { board })
        notices.done(`${task.id} is changed`)
      }
      onClose()
    })
  }
  return (
    <FormDialog title={`Edit ${task.id}`} action="Save" work={work} onSubmit={submit} onClose={onClose}>
      <Field label="Title">
        {(ids) => (
          <input
            {...ids}
            name="title"
            required
            maxLength={500}
            autocomplete="off"
            autofocus
            defaultValue={before.title}
          />
        )}
      </Field>
      <Field
        label="What to do"
        hint={task.status === 'running' ? 'Its worker keeps the text it was given.' : undefined}
      >
        {(ids) => <textarea {...ids} name="body" rows={8} defaultValue={before.body} />}
      </Field>
      <Field label="Priority">
        {(ids) => (
          <input {...ids} name="priority" type="number" step={1} required defaultValue={String(before.priority)} />
        )}
      </Field>
    </FormDialog>
  )
}
