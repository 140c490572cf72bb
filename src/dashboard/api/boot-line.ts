/** A line of container-boot.log. */
export interface BootLine {
  readonly at: string
  readonly profile: string
  readonly prior_state: string
  readonly action: string
  readonly prior_exit: string
  readonly reason?: string
}

const LINE = /^(\d{4}-\d\d-\d\dT[\d:.]+Z) (.*)$/
/** A value is a word, or a JSON text for anything longer. */
const FACT = /([a-z_]+)=("(?:[^"\\]|\\.)*"|\S*)/g

/** @returns undefined for a torn or foreign line */
export function parseBootLine(text: string): BootLine | undefined {
  const [, at, rest] = LINE.exec(text) ?? []
  if (at === undefined || rest === undefined) return undefined
  const facts = new Map([...rest.matchAll(FACT)].map(([, name = '', value = '']) => [name, plain(value)]))
  const [profile, prior_state, action, prior_exit] = ['profile', 'prior_state', 'action', 'prior_exit'].map((name) =>
    facts.get(name),
  )
  if (profile === undefined || prior_state === undefined || action === undefined || prior_exit === undefined)
    return undefined
  const reason = facts.get('reason')
  return { at, profile, prior_state, action, prior_exit, ...(reason === undefined ? {} : { reason }) }
}

function plain(value: string): string {
  if (!value.startsWith('"')) return value
  try {
    return JSON.parse(value) as string
  } catch {
    // Torn by a full disk: as it stands.
    return value
  }
}
