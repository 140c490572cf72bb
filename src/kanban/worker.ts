/** What a worker is started with. */

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
 * `agent.command` for one task: `{task}` is its id, `{prompt}` its text, which comes on stdin where no word asks for it.
 * @param byteLength of a text in UTF-8
 * @returns a text when it cannot be started like that
 */
export function workerCommand(
  argv: readonly string[],
  task: { readonly id: string; readonly title: string; readonly body: string },
  byteLength: (text: string) => number,
): WorkerCommand | string {
  const prompt = promptOf(task)
  const asArgument = argv.some((word) => word.includes('{prompt}'))
  const fill = { task: task.id, prompt } as const
  // One pass: a prompt that says "{task}" is left alone.
  const command = argv.map((word) => word.replaceAll(/\{(task|prompt)\}/g, (_, name: 'task' | 'prompt') => fill[name]))
  const longest = Math.max(...command.map(byteLength))
  if (longest > MAX_ARGUMENT_BYTES) {
    return `the prompt has ${byteLength(prompt)} bytes, more than an argument can hold (${MAX_ARGUMENT_BYTES}): take {prompt} out of agent.command, then it comes on stdin`
  }
  return { command, stdin: asArgument ? null : prompt }
}
