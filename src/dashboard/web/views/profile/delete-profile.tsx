import { useSignal } from '@preact/signals'
import { Button } from '../../parts/button.tsx'
import { Field } from '../../parts/field.tsx'
import { FormDialog } from '../../parts/form-dialog.tsx'
import { useApp } from '../../stores/app-context.ts'
import { useWork } from '../../stores/async.ts'

/** Lists what will be deleted, and asks for the name. */
export function DeleteProfile({ profile }: { readonly profile: string }) {
  const asking = useSignal(false)
  return (
    <section class="delete" aria-labelledby="danger-title">
      <div>
        <h2 id="danger-title" class="section-title">
          Delete this profile
        </h2>
        <p class="muted">Stop its gateway, then delete its directory, sessions and logs.</p>
      </div>
      <Button tone="danger" onClick={() => (asking.value = true)}>
        Delete {profile}
      </Button>
      {asking.value && <Confirm profile={profile} onClose={() => (asking.value = false)} />}
    </section>
  )
}

function Confirm({ profile, onClose }: { readonly profile: string; readonly onClose: () => void }) {
  const { fleet, router, notices } = useApp()
  const typed = useSignal('')
  const keepLogs = useSignal(false)
  const work = useWork()
  const remove = (event: SubmitEvent): Promise<void> => {
    event.preventDefault()
    return work.run(async () => {
      await fleet.remove(profile, keepLogs.value)
      notices.done(`${profile} is deleted`)
      onClose()
      router.go('/')
    })
  }
  return (
    <FormDialog
      title={`Delete ${profile}`}
      action="Delete for good"
      tone="danger"
      disabled={typed.value !== profile}
      work={work}
      onSubmit={remove}
      onClose={onClose}
    >
      <p>This cannot be undone: its settings, credentials, memories and conversations are deleted.</p>
      <Field label={`Type "${profile}" to confirm`}>
        {(ids) => (
          <input
            {...ids}
            autocomplete="off"
            spellcheck={false}
            autofocus
            value={typed.value}
            onInput={(event) => (typed.value = event.currentTarget.value)}
          />
        )}
      </Field>
      <label class="check">
        <input
          type="checkbox"
          checked={keepLogs.value}
          onChange={(event) => (keepLogs.value = event.currentTarget.checked)}
        />
        Keep its logs
      </label>
    </FormDialog>
  )
}
