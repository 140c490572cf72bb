import { takeForm } from '../../client/form.ts'
import { profilePath } from '../../core/route.ts'
import { Field } from '../../parts/field.tsx'
import { FormDialog } from '../../parts/form-dialog.tsx'
import { useApp } from '../../stores/app-context.ts'
import { useWork } from '../../stores/async.ts'

export function CreateProfile({ onClose }: { readonly onClose: () => void }) {
  const { fleet, router, notices } = useApp()
  const work = useWork()
  const submit = (event: SubmitEvent): Promise<void> => {
    const { trimmed, has } = takeForm(event)
    return work.run(async () => {
      const { name } = await fleet.create({
        name: trimmed('name'),
        start: has('start'),
        ...(trimmed('description') !== '' && { description: trimmed('description') }),
        ...(trimmed('clone') !== '' && { clone: trimmed('clone') }),
      })
      notices.done(`${name} is there`)
      onClose()
      router.go(profilePath(name))
    })
  }
  return (
    <FormDialog title="New profile" action="Create profile" work={work} onSubmit={submit} onClose={onClose}>
      <Field label="Name" hint="Lower-case letters, digits, - and _; also the name of its directory.">
        {(ids) => (
          <input {...ids} name="name" required maxLength={64} autocomplete="off" spellcheck={false} autofocus />
        )}
      </Field>
      <Field label="Description">
        {(ids) => <input {...ids} name="description" maxLength={500} autocomplete="off" />}
      </Field>
      <Field label="Copy settings from">
        {(ids) => (
          <select {...ids} name="clone">
            <option value="">no profile, start empty</option>
            {fleet.profiles.value?.map(({ name }) => (
              <option key={name} value={name}>
                {name}
              </option>
            ))}
          </select>
        )}
      </Field>
      <label class="check">
        <input type="checkbox" name="start" /> Start its gateway now
      </label>
    </FormDialog>
  )
}
