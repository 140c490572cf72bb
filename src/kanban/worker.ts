/** Builds the command line of a worker. */

/** The longest single argument the kernel takes: MAX_ARG_STRLEN, with its final NUL (execve(2)). */
const MAX_ARGUMENT_BYTES = 131_071

export interface WorkerCommand {
  readonly command: readonly string[]
  /** It goes to the worker's stdin; null: it is among the arguments. */
  readonly stdin: string | null
}

/** Title, blank line, body. */
export const promptOf = (task: { readonly title: string; readonly body: string }): string =>
  task.body.trim() === '' ? task.title : `${task.title}\n\n${task.body}`

/**
 * Fills in `agent.command` for one task: `{task}` becomes its id and `{prompt}` its text; without `{prompt}` the text
 * is passed on stdin.
 * @param byteLength of a text in UTF-8
 * @returns a text if the command cannot be started this way
 */
export function workerCommand(
  argv: readonly string[],
  task: { readonly id: string; readonly title: string; readonly body: string },
  byteLength: (text: string) => number,
): WorkerCommand | string {
  const prompt = promptOf(task)
  const asArgument = argv.some((argument) => argument.includes('{prompt}'))
  const fill = { task: task.id, prompt } as const
  // One pass, so that "{task}" inside a prompt is left unchanged.
  const command = argv.map((argument) =>
    argument.replaceAll(/\{(task|prompt)\}/g, (_, name: 'task' | 'prompt') => fill[name]),
  )
  const longest = Math.max(...command.map(byteLength))
  if (longest > MAX_ARGUMENT_BYTES) {
    return `the prompt has ${byteLength(prompt)} bytes, more than an argument can hold (${MAX_ARGUMENT_BYTES}): remove {prompt} from agent.command to pass it on stdin`
  }
  return { command, stdin: asArgument ? null : prompt }
}
