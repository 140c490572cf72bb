/** The built-in agent as a worker. If the result of its task must fit a schema, the answer is that result. */
import { readFileSync } from 'node:fs'
import type { WorkerBundle } from '../../../gateway/worker.ts'
import { boardRules } from '../../../kanban/dispatch/settings.ts'
import { type Context, gatewayFacts } from '../../context/context.ts'
import type { Outcome } from '../../terminal/output.ts'
import { actorOf, onBoard } from './shared.ts'

export async function work(context: Context): Promise<Outcome> {
  const { workerProgram } = require('#bundle/worker.cjs') as WorkerBundle
  const task = taskWithSchema(context)
  let answer = ''
  const out = (text: string): void => {
    answer += text
    context.output.out(text)
  }
  const exitCode = await workerProgram({ ...gatewayFacts(context), out })
  if (exitCode !== 0 || task === undefined) return { exitCode }
  const { id } = task
  const { parseResult } = await import('../../../kanban/handover/result-schema.ts')
  const resultJson = parseResult(withoutFence(answer), 'the answer', task)
  await onBoard(context, { args: [], options: {} }, 'write', async (board) => {
    const { requireReview } = (await boardRules(board, context.home)).written
    await board.change('complete', id, { requireReview, result: resultJson, resultJson }, actorOf(context, id))
  })
  return { exitCode }
}

/** From the file and not from the board, which a worker need not reach. */
function taskWithSchema({ env }: Context): { readonly id: string; readonly resultSchema: string } | undefined {
  const { HERMES_KANBAN_CONTEXT: file } = env
  if (!file) return undefined
  const { task } = JSON.parse(readFileSync(file, 'utf8')) as { task: { id: string; result_schema?: unknown } }
  return task.result_schema === undefined
    ? undefined
    : { id: task.id, resultSchema: JSON.stringify(task.result_schema) }
}

/** Models put JSON between lines of three backticks, also if they are asked for nothing else. */
const withoutFence = (answer: string): string => /^\s*```\w*\n([\s\S]*)\n\s*```\s*$/.exec(answer)?.[1] ?? answer
