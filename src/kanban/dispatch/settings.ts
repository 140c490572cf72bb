/** Reads the board's settings from the disk. */
import { join } from 'node:path'
import { defaultConfig, type KanbanConfig, loadConfig } from '../../profile/config/config.ts'
import type { Board } from '../port/board.ts'
import { ignoredSettings, withSettings } from '../port/settings.ts'
import type { WrittenRules } from '../rules.ts'

const CAP_KEY = 'kanban.max_in_progress_per_profile'
const ASSIGNEE_KEY = 'kanban.default_assignee'

/** Values from the default profile's config.yaml; the dispatcher reports bad caps itself. */
export function readWrittenRules(
  home: string,
): WrittenRules & Pick<KanbanConfig, 'dispatchInGateway' | 'contextMaxBytes' | 'attachmentMaxBytes'> {
  const { config, problems } = loadConfig(join(home, 'config.yaml'))
  const cap = problems.find(({ key }) => key === CAP_KEY)
  const assignee = problems.find(({ key }) => key === ASSIGNEE_KEY)
  return {
    ...config.kanban,
    ...(cap === undefined ? {} : { maxInProgressPerProfile: cap.value }),
    // A number or a list there names no profile either.
    ...(assignee === undefined ? {} : { defaultAssignee: JSON.stringify(assignee.value) ?? '?' }),
  }
}

/**
 * The rules of a board as they are written: in its own settings if it is in a database, else in config.yaml.
 * @returns `ignored`: a line for each key of config.yaml that says something else
 */
export async function boardRules(
  board: Pick<Board, 'settings'>,
  home: string,
): Promise<{ readonly written: ReturnType<typeof readWrittenRules>; readonly ignored: readonly string[] }> {
  const written = readWrittenRules(home)
  const settings = await board.settings()
  if (settings === null) return { written, ignored: [] }
  return {
    written: withSettings(written, settings),
    ignored: ignoredSettings(written, settings, defaultConfig().kanban),
  }
}
