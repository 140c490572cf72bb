import { useMemo } from 'preact/hooks'
import { takeForm } from '../../client/form.ts'
import { Field } from '../../parts/field.tsx'
import { FormDialog } from '../../parts/form-dialog.tsx'
import { useApp } from '../../stores/app-context.ts'
import { useWork } from '../../stores/async.ts'
import type { BoardStore } from '../../stores/board.ts'
import { Assignees } from './assignees.tsx'

export function CreateTask({ store, onClose }: { readonly store: BoardStore; readonly onClose: () => void }) {
  const { notices } = useApp()
  const work = useWork()
  // As they are now: others' changes must not move the fields that are being filled in.
  const open = useMemo(
    () => [...(store.columns.peek()?.values() ?? [])].flat().filter(({ status }) => status !== 'done'),
    [store],
  )
  const submit = (event: SubmitEvent): Promise<void> => {
    const { trimmed, all, has } = takeForm(event)
    return work.run(async () => {
      const task = await store.create({
        title: trimmed('title'),
        priority: Number(trimmed('priority')),
        parents: [...all('parents')],
        triage: has('triage'),
        once: has('once'),
        ...(trimmed('needs') !== '' && { needs: trimmed('needs').split(/[\s,]+/) }),
        ...(trimmed('body') !== '' && { body: trimmed('body') }),
        ...(trimmed('assignee') !== '' && { assignee: trimmed('assignee') }),
      })
      notices.done(`${task.id} is ${task.status}`)
      onClose()
    })
  }
  return (
    <FormDialog title="New task" action="Create task" work={work} onSubmit={submit} onClose={onClose}>
      <Field label="Title">
        {(ids) => <input {...ids} name="title" required maxLength={2000} autocomplete="off" autofocus />}
      </Field>
      <Field label="What to do">{(ids) => <textarea {...ids} name="body" rows={5} />}</Field>
      <div class="fields">
        <Field label="Assignee">
          {(ids) => (
            <select {...ids} name="assignee">
              <Assignees unassigned="unassigned" />
            </select>
          )}
        </Field>
        <Field label="Priority">
          {(ids) => <input {...ids} name="priority" type="number" step={1} defaultValue="0" required />}
        </Field>
      </div>
      <Field label="Needs" hint="Labels that the node must have. Without an assignee, any profile may take the task.">
        {(ids) => <input {...ids} name="needs" placeholder="gpu, region=eu" autocomplete="off" />}
      </Field>
      {open.length > 0 && (
        <Field label="Waits for" hint="The task becomes ready when all of these are done.">
          {(ids) => (
            <select {...ids} name="parents" multiple size={Math.min(4, open.length)}>
              {open.map(({ id, title }) => (
                <option key={id} value={id}>
                  {title} ({id})
                </option>
              ))}
            </select>
          )}
        </Field>
      )}
      <label class="check">
        <input type="checkbox" name="once" /> Start it at most once: block it if a run does not complete it
      </label>
      <label class="check">
        <input type="checkbox" name="triage" /> Only an idea: put it into triage
      </label>
    </FormDialog>
  )
}
