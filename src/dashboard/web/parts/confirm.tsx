import type { ComponentChildren } from 'preact'
import { useWork } from '../stores/async.ts'
import { FormDialog } from './form-dialog.tsx'

interface ConfirmProps {
  readonly title: string
  /** Say what cannot be undone. */
  readonly children: ComponentChildren
  readonly action: string
  readonly perform: () => Promise<unknown>
  /** It is closed: it was done, or it will not be. */
  readonly onClose: (isDone: boolean) => void
}

/** Asks before something that cannot be undone; it stays, with the reason, if that fails. */
export function Confirm({ title, children, action, perform, onClose }: ConfirmProps) {
  const work = useWork()
  const submit = (event: SubmitEvent): Promise<void> => {
    event.preventDefault()
    return work.run(async () => {
      await perform()
      onClose(true)
    })
  }
  return (
    <FormDialog
      title={title}
      action={action}
      tone="danger"
      work={work}
      onSubmit={submit}
      onClose={() => onClose(false)}
    >
      {children}
    </FormDialog>
  )
}
