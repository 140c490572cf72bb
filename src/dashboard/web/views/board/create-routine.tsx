import type { Routine } from '../../../contract/routines.ts'
import { takeForm } from '../../client/form.ts'
import { Field } from '../../parts/field.tsx'
import { FormDialog } from '../../parts/form-dialog.tsx'
import { useApp } from '../../stores/app-context.ts'
import { useWork } from '../../stores/async.ts'
import { Assignees } from './assignees.tsx'

interface CreateRoutineProps {
  readonly path: string
  readonly board: string | undefined
  readonly onClose: () => void
}

export function CreateRoutine({ path, board, onClose }: CreateRoutineProps) {
  const { client, notices } = useApp()
  const work = useWork()
  const submit = (event: SubmitEvent): Promise<void> => {
    const { trimmed } = takeForm(event)
    const assignee = trimmed('assignee')
    return work.run(async () => {
      const routine = {
        name: trimmed('name'),
        cron: trimmed('cron'),
        tz: trimmed('tz'),
        catch_up: trimmed('catch_up'),
        title: trimmed('title'),
        body: trimmed('body'),
        assignee: assignee === '' ? null : assignee,
        priority: Number(trimmed('priority')),
      }
      const made = await client.send<Routine>('POST', path, routine, { board })
      notices.done(`the routine ${made.name} is created`)
      onClose()
    })
  }
  return (
    <FormDialog title="New routine" action="Create routine" work={work} onSubmit={submit} onClose={onClose}>
      <Field label="Name" hint="Lower-case letters, digits, - and _">
        {(ids) => (
          <input {...ids} name="name" required pattern="[a-z0-9][a-z0-9_\-]{0,63}" autocomplete="off" autofocus />
        )}
      </Field>
      <div class="fields">
        <Field label="When" hint="Minute, hour, day of the month, month, weekday">
          {(ids) => <input {...ids} class="mono" name="cron" required placeholder="0 9 * * 1-5" autocomplete="off" />}
        </Field>
        <Field label="Time zone">
          {(ids) => (
            <input
              {...ids}
              name="tz"
              required
              autocomplete="off"
              defaultValue={Intl.DateTimeFormat().resolvedOptions().timeZone}
            />
          )}
        </Field>
      </div>
      <Field label="Times that were missed">
        {(ids) => (
          <select {...ids} name="catch_up">
            <option value="none">no task</option>
            <option value="one" selected>
              a task for the last one
            </option>
            <option value="all">a task for each</option>
          </select>
        )}
      </Field>
      <Field label="Title of the tasks">
        {(ids) => <input {...ids} name="title" required maxLength={500} autocomplete="off" />}
      </Field>
      <Field label="What to do">{(ids) => <textarea {...ids} name="body" rows={4} />}</Field>
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
    </FormDialog>
  )
}
