/** Labels of nodes, and the labels that a task needs: `gpu,region=eu`. */
import { HermesError } from '../system/errors.ts'

/** Values by name; '' for a label without a value. */
export type Labels = Readonly<Record<string, string>>

const LABEL = /^([A-Za-z0-9][A-Za-z0-9._/-]{0,62})(?:=([A-Za-z0-9._-]{0,63}))?$/
const MAX_LABELS = 50

/**
 * Parses labels, separated by commas. Each name may occur once.
 * @param what names the text in messages
 * @throws HermesError USAGE
 */
export function parseLabels(text: string, what: string): Labels {
  const items = text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')
  const labels = new Map<string, string>()
  for (const item of items) {
    const [, name, value = ''] = LABEL.exec(item) ?? []
    if (name === undefined) throw wrong(`${what}: ${JSON.stringify(item.slice(0, 80))} is not a label`)
    if (labels.has(name) && labels.get(name) !== value) throw wrong(`${what}: the label ${name} has two values`)
    labels.set(name, value)
  }
  if (labels.size > MAX_LABELS) throw wrong(`${what}: ${labels.size} labels are more than ${MAX_LABELS}`)
  return Object.fromEntries([...labels].sort(([a], [b]) => (a < b ? -1 : 1)))
}

const wrong = (message: string): HermesError =>
  new HermesError('USAGE', message, {
    next: 'separate labels by commas, each NAME or NAME=VALUE, such as gpu,region=eu',
  })

/** Labels one by one, as they are written. */
export const labelList = (labels: Labels): readonly string[] =>
  Object.entries(labels).map(([name, value]) => (value === '' ? name : `${name}=${value}`))

/**
 * The needs of a task that a node does not meet. A need without a value is met by that label with any value.
 * @param needs as {@link labelList} gives them
 */
export const missingLabels = (needs: readonly string[], labels: Labels): readonly string[] =>
  needs.filter((need) => {
    const [name = '', value] = need.split('=')
    return !Object.hasOwn(labels, name) || (value !== undefined && labels[name] !== value)
  })

/** Needs as a board stores them: null for none. */
export const storedNeeds = (needs: readonly string[]): string | null => (needs.length === 0 ? null : needs.join(','))

/** @param text as {@link storedNeeds} gives it, or as another tool has written it */
export const needsOf = (text: string | null | undefined): readonly string[] =>
  (text ?? '').split(',').filter((need) => need !== '')
