/** Handles the submission of a form, in place of the browser. */
export interface SentForm {
  /** Trimmed; empty where nothing was written. */
  trimmed(name: string): string
  /** Not trimmed. */
  exact(name: string): string
  all(name: string): readonly string[]
  /** Value of a check box. */
  has(name: string): boolean
}

export function takeForm(event: SubmitEvent): SentForm {
  event.preventDefault()
  const form = new FormData(event.currentTarget as HTMLFormElement)
  const exact = (name: string): string => String(form.get(name) ?? '')
  return {
    exact,
    trimmed: (name) => exact(name).trim(),
    all: (name) => form.getAll(name).map(String),
    has: (name) => form.has(name),
  }
}
