/** Shows what the next run of a task would be handed. */

import { join } from 'node:path'
import { readWrittenRules } from '../../../kanban/dispatch/settings.ts'
import { contextJson } from '../../../kanban/handover/context.ts'
import { HANDOVER_LIMITS } from '../../../kanban/handover/facts.ts'
import { promptOf } from '../../../kanban/handover/prompt.ts'
import { loadConfig } from '../../../profile/config/config.ts'
import { profileDir } from '../../../system/paths.ts'
import { plainText } from '../../../system/text/foreign-text.ts'
import type { Command, Input } from '../../context/command.ts'
import type { Context } from '../../context/context.ts'
import type { Outcome } from '../../terminal/output.ts'
import { BOARD, ID, onBoard } from './shared.ts'

export const PROMPT_COMMAND: Command = {
  path: 'kanban prompt',
  summary: 'Print the prompt that the next run of a task would get; --json prints the context file',
  arguments: [ID],
  options: [BOARD],
  run: prompt,
}

async function prompt(context: Context, input: Input): Promise<Outcome> {
  const [id = ''] = input.args
  const { task, handover, slug } = await onBoard(context, input, 'read', async (board) => ({
    task: await board.require(id),
    handover: await board.handover(id, HANDOVER_LIMITS),
    slug: board.place.slug,
  }))
  const { contextMaxBytes, defaultAssignee } = readWrittenRules(context.home)
  const assignee = task.assignee ?? defaultAssignee
  const { agent } = loadConfig(join(profileDir(context.home, assignee), 'config.yaml')).config
  const isProgram = agent.command !== null || agent.openai === null
  const rules = { maxBytes: contextMaxBytes, resultBy: isProgram ? 'command' : 'answer' } as const
  const text = promptOf(task, handover, rules)
  return {
    text: `${plainText(text)}\n`,
    json: contextJson({ ...handover, board: slug, runId: null, task, prompt: text }),
  }
}
