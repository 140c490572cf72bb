import type { ComponentChildren } from 'preact'
import type { Work } from '../stores/async.ts'
import { Button } from './button.tsx'
import { Dialog } from './dialog.tsx'
import { FailureMessage } from './failure.tsx'

interface FormDialogProps {
  readonly title: string
  readonly children: ComponentChildren
  /** Label of its main button; `tone` shows whether its effect can be undone. */
  readonly action: string
  readonly tone?: 'main' | 'danger'
  readonly disabled?: boolean
  readonly work: Pick<Work, 'busy' | 'failure'>
  readonly onSubmit: (event: SubmitEvent) => Promise<void>
  readonly onClose: () => void
}

/** A dialog that is filled in and sent; it shows why sending has failed. */
export function FormDialog({
  title,
  children,
  action,
  tone = 'main',
  disabled = false,
  work: { busy, failure },
  onSubmit,
  onClose,
}: FormDialogProps) {
  return (
    <Dialog title={title} onClose={onClose}>
      <form onSubmit={onSubmit}>
        {children}
        {failure.value && <FailureMessage failure={failure.value} />}
        <footer>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" tone={tone} disabled={busy.value || disabled}>
            {action}
          </Button>
        </footer>
      </form>
    </Dialog>
  )
}
