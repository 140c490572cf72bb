import type { Command, Group } from '../../context/command.ts'
import { BOARD_COMMANDS } from './boards.ts'
import { BULK_COMMAND } from './bulk.ts'
import { CHANGE_COMMANDS } from './changes.ts'
import { DISPATCH_COMMANDS } from './dispatch.ts'
import { FOLLOW_COMMANDS, PROMPT_COMMAND } from './follow.ts'
import { ROUTINE_COMMAND } from './routine.ts'
import { SETTINGS_COMMANDS } from './settings.ts'
import { TASK_COMMANDS } from './tasks.ts'
import { TRANSFER_COMMANDS } from './transfer.ts'
import { UPKEEP_COMMANDS } from './upkeep.ts'

export const KANBAN_GROUP: Group = {
  name: 'kanban',
  summary: 'Manage tasks on a board, and the dispatcher that hands them to profiles',
}

/** Every `hermes kanban …`. */
export const KANBAN_COMMANDS: readonly Command[] = [
  ...TASK_COMMANDS,
  ...CHANGE_COMMANDS,
  ...UPKEEP_COMMANDS,
  BULK_COMMAND,
  PROMPT_COMMAND,
  ...FOLLOW_COMMANDS,
  ...DISPATCH_COMMANDS,
  ROUTINE_COMMAND,
  ...SETTINGS_COMMANDS,
  ...BOARD_COMMANDS,
  ...TRANSFER_COMMANDS,
]
