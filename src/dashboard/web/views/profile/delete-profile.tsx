import { useSignal } from '@preact/signals'
import { Button } from '../../parts/button.tsx'
import { Dialog } from '../../parts/dialog.tsx'
import { Field } from '../../parts/field.tsx'
import { Trouble } from '../../parts/trouble.tsx'
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
  const { busy, failure, run } = useWork()
  const remove = (event: SubmitEvent): Promise<void> => {
    event.preventDefault()
    return run(async () => {
      await fleet.remove(profile, keepLogs.value)
      notices.done(`${profile} is deleted`)
      onClose()
      router.go('/')
    })
  }
  return (
    <Dialog title={`Delete ${profile}`} onClose={onClose}>
      <form onSubmit={remove}>
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
        {failure.value && <Trouble failure={failure.value} />}
        <footer>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" tone="danger" disabled={busy.value || typed.value !== profile}>
            Delete for good
          </Button>
        </footer>
      </form>
    </Dialog>
  )
}
