import type { Failure } from '../client/client.ts'
import { Button } from './button.tsx'

/** Why something could not be shown, and what to do. */
export function FailureMessage({ failure, again }: { readonly failure: Failure; readonly again?: () => void }) {
  return (
    <div class="trouble" role="alert">
      <p>{failure.message}</p>
      {failure.next !== undefined && <p class="hint">{failure.next}</p>}
      {again && <Button onClick={again}>Try again</Button>}
    </div>
  )
}

export function Empty({ title, hint }: { readonly title: string; readonly hint?: string }) {
  return (
    <div class="empty">
      <p>{title}</p>
      {hint !== undefined && <p class="hint">{hint}</p>}
    </div>
  )
}
