/** Builds the command line of a worker. */
import { byteLength } from './cut.ts'

/** The longest single argument the kernel takes: MAX_ARG_STRLEN, with its final NUL (execve(2)). */
const MAX_ARGUMENT_BYTES = 131_071
/** A longer prompt goes to stdin: an agent that adds something to it must not reach the kernel's limit. */
export const MAX_PROMPT_ARGUMENT_BYTES = 96 * 1024

export interface WorkerCommand {
  readonly command: readonly string[]
  /** It goes to the worker's stdin; null: it is among the arguments. */
  readonly stdin: string | null
}

export interface WorkerFacts {
  readonly id: string
  readonly title: string
  readonly prompt: string
  /** Where the prompt is kept, if it goes to stdin. */
  readonly promptFile: string
  /** The JSON of what is handed over. */
  readonly contextFile: string
}

/**
 * Fills in `agent.command` for one task: `{task}` becomes its id, `{prompt}` its prompt and `{context}` the path of its
 * context. Without `{prompt}` the prompt is passed on stdin. If it is too long for an argument, stdin and a file have
 * it, and `{prompt}` says so.
 * @returns a text if the command cannot be started this way
 */
export function workerCommand(argv: readonly string[], facts: WorkerFacts): WorkerCommand | string {
  const { id, prompt, contextFile } = facts
  const isAsked = argv.some((argument) => argument.includes('{prompt}'))
  const bytes = byteLength(prompt)
  const isArgument = isAsked && bytes <= MAX_PROMPT_ARGUMENT_BYTES
  const fill = { task: id, prompt: isArgument ? prompt : whereItIs(facts, bytes), context: contextFile } as const
  // One pass, so that "{task}" inside a prompt is left unchanged.
  const command = argv.map((argument) =>
    argument.replaceAll(/\{(task|prompt|context)\}/g, (_, name: keyof typeof fill) => fill[name]),
  )
  const longest = Math.max(...command.map(byteLength))
  if (longest > MAX_ARGUMENT_BYTES) {
    return `an argument of agent.command has ${longest} bytes, more than an argument can hold (${MAX_ARGUMENT_BYTES}): remove {prompt} from it to pass the prompt on stdin`
  }
  return { command, stdin: isArgument ? null : prompt }
}

const whereItIs = ({ title, promptFile }: WorkerFacts, bytes: number): string =>
  `${title}\n\nThe prompt has ${bytes} bytes, too many for an argument. It is on the standard input, and in the file ${promptFile}.`
