/** The prompt of a task: title, body, and what is handed over to its worker. */
import { instantText } from '../../system/instant.ts'
import type { HandedFile } from '../attachments/attachment.ts'
import type { Run } from '../task.ts'
import { byteLength, cutEntries, type Entry, entryText } from './cut.ts'
import type { HandoverFacts, ParentResult, Part } from './facts.ts'

export interface PromptTask {
  readonly id: string
  readonly title: string
  readonly body: string
  /** JSON Schema of the result, as JSON; null: the result is any text. */
  readonly resultSchema: string | null
}

export interface PromptRules {
  /** A quarter of it is left for what is handed over. */
  readonly maxBytes: number
  /** How the worker gives a result that has to fit a schema: `answer`: by its answer, and nothing else. */
  readonly resultBy: 'command' | 'answer'
  /** Attachments of the task. */
  readonly files?: readonly HandedFile[]
}

/** The hand-over gets at least this part of the prompt, however long title and body are. */
const LEAST_PART = 4
/** For the headings of sections, and the sentence that says what was cut. */
const RESERVED_BYTES = 600

const RESULTS = '# Results of the tasks before this one'
const HISTORY = '# What happened to this task so far'

/** Title, blank line, body. */
export const taskText = (task: Pick<PromptTask, 'title' | 'body'>): string =>
  task.body.trim() === '' ? task.title : `${task.title}\n\n${task.body}`

/** Renders the prompt. Title, body, schema and the list of files are never cut. */
export function promptOf(
  task: PromptTask,
  facts: HandoverFacts,
  { maxBytes, resultBy, files = [] }: PromptRules,
): string {
  const asked = task.resultSchema === null ? taskText(task) : withSchema(task, task.resultSchema, resultBy)
  const head = files.length === 0 ? asked : withFiles(asked, files)
  const results = facts.parents.entries.map(resultEntry)
  const history = historyOf(facts)
  const unread = omittedOf(facts)
  const whole = render(head, results, history, unread === 0 ? undefined : cutSentence(task, unread, 0))
  const room = Math.max(maxBytes - byteLength(head), Math.floor(maxBytes / LEAST_PART))
  if (byteLength(whole) - byteLength(head) <= room) return whole
  const tagged = [
    ...results.map((entry) => ({ ...entry, isResult: true })),
    ...history.map((entry) => ({ ...entry, isResult: false })),
  ]
  const { kept, dropped, shortened } = cutEntries(tagged, room - RESERVED_BYTES)
  return render(
    head,
    kept.filter(({ isResult }) => isResult),
    kept.filter(({ isResult }) => !isResult),
    cutSentence(task, unread + dropped, shortened),
  )
}

function withSchema(task: PromptTask, schema: string, resultBy: PromptRules['resultBy']): string {
  const how =
    resultBy === 'answer'
      ? 'Answer with a JSON value that fits this JSON Schema, and with nothing else:'
      : `Complete the task with "hermes kanban complete ${task.id} --result-json FILE". FILE has a JSON value that fits this JSON Schema:`
  return `${taskText(task).trimEnd()}\n\n# The result\n\n${how}\n\n${schema}`
}

const withFiles = (asked: string, files: readonly HandedFile[]): string =>
  [
    asked.trimEnd(),
    '# Files of this task',
    files.map(({ path, sizeBytes }) => `- ${path} (${sizeBytes} bytes)`).join('\n'),
  ].join('\n\n')

function render(head: string, results: readonly Entry[], history: readonly Entry[], note: string | undefined): string {
  const more = [...section(RESULTS, results), ...section(HISTORY, history), ...(note === undefined ? [] : [note])]
  return more.length === 0 ? head : [head.trimEnd(), ...more].join('\n\n')
}

const section = (title: string, entries: readonly Entry[]): readonly string[] =>
  entries.length === 0 ? [] : [title, ...entries.map(entryText)]

const omittedOf = (facts: HandoverFacts): number =>
  Object.values(facts).reduce((sum, { omitted }: Part<unknown>) => sum + omitted, 0)

const cutSentence = ({ id }: PromptTask, dropped: number, shortened: number): string => {
  const what = [
    ...(dropped === 0 ? [] : [`the ${dropped === 1 ? 'oldest entry was' : `${dropped} oldest entries were`} left out`]),
    ...(shortened === 0 ? [] : [`${shortened} ${shortened === 1 ? 'text was' : 'texts were'} shortened`]),
  ]
  return `(This was cut to fit kanban.context_max_bytes: ${what.join(', ')}. The file in HERMES_KANBAN_CONTEXT and "hermes kanban show ${id}" have more.)`
}

const resultText = ({ result, resultJson }: ParentResult): string => {
  const texts = [result, resultJson === result ? null : resultJson].filter(
    (text) => text !== null && text.trim() !== '',
  )
  return texts.length === 0 ? 'It has no result.' : texts.map((text) => text?.trimEnd()).join('\n\n')
}

const resultEntry = (parent: ParentResult): Entry => ({
  atMs: parent.completedAtMs,
  heading: `## ${parent.id}: ${parent.title}${parent.status === 'done' ? '' : ` (${parent.status})`}`,
  text: resultText(parent),
})

/** Attempts, comments and requests, by time. */
function historyOf({ attempts, comments, requests }: HandoverFacts): readonly Entry[] {
  const entries = [
    ...attempts.entries.map(attemptEntry),
    ...comments.entries.map(({ author, body, atMs }) => entry(atMs, `${author} commented`, body)),
    ...requests.entries.map(({ by, text, atMs }) => entry(atMs, `${by} reviewed the work and requests changes`, text)),
  ]
  return entries.sort((a, b) => (a.atMs ?? 0) - (b.atMs ?? 0))
}

const entry = (atMs: number, what: string, text: string): Entry => ({
  atMs,
  heading: `## ${instantText(atMs) ?? 'at an unknown time'}: ${what}`,
  text: text.trimEnd(),
})

function attemptEntry({ id, profile, outcome, error, summary, endedAtMs, startedAtMs }: Run): Entry {
  const texts = [outcome === 'completed' ? null : error, summary].filter((text) => text !== null && text !== '')
  return entry(endedAtMs ?? startedAtMs, `run ${id} of ${profile} ended as ${outcome}`, texts.join('\n\n'))
}
