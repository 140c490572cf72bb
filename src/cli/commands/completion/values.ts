/** `hermes completion values KIND` */
import { ifSupervised } from '../../../control/slot-actions.ts'
import { listTemplates } from '../../../kanban/store/templates.ts'
import { isClosed, STATUSES } from '../../../kanban/task.ts'
import { loadConfig } from '../../../profile/config/config.ts'
import { listProfiles } from '../../../profile/directory/disk.ts'
import { SERVICE_PREFIX } from '../../../services/definition.ts'
import { oneLine } from '../../../system/text/foreign-text.ts'
import type { Input, ValueKind } from '../../context/command.ts'
import type { Context } from '../../context/context.ts'
import type { Outcome } from '../../terminal/output.ts'
import { onBoardIfAny, withBoards } from '../kanban/shared.ts'

/** A value and its description. */
type Value = readonly [value: string, description?: string]

/** A shell shows no more at once. */
const MOST_TASKS = 200
/** Reading the settings of more would be felt. */
const MOST_DESCRIBED = 100

const VALUES: Readonly<
  Record<ValueKind, (context: Context, input: Input) => readonly Value[] | Promise<readonly Value[]>>
> = {
  profiles,
  services,
  slots: async (context) => [...profiles(context), ...(await services(context))],
  tasks,
  boards: (context) => withBoards(context, async (boards) => (await boards.list()).map(({ slug }) => [slug] as const)),
  routines: (context, input) =>
    onBoardIfAny(context, input, 'read', async (board) =>
      (await board.routines()).map(({ name, task }) => [name, task.title] as const),
    ),
  templates: ({ home }) => listTemplates(home).map((name) => [name] as const),
}

/** Prints values for the scripts, one a line. @throws HermesError: they cannot be found out */
export async function values(context: Context, input: Input): Promise<Outcome> {
  const kind = input.args[0] as ValueKind // one of the choices
  const found = await VALUES[kind](context, input)
  const rows = found.map(([value, description]) => ({ value, description: oneLine(description ?? '') }))
  return {
    text: rows.map(({ value, description }) => `${value}${description === '' ? '' : `\t${description}`}\n`).join(''),
    json: rows,
  }
}

function profiles({ home }: Context): readonly Value[] {
  const all = listProfiles(home).profiles
  if (all.length > MOST_DESCRIBED) return all.map(({ name }) => [name])
  return all.map(({ name, dir }) => [name, loadConfig(`${dir}/config.yaml`).config.description])
}

/** None while no supervisor runs: it reads their definitions. */
async function services(context: Context): Promise<readonly Value[]> {
  const slots = (await ifSupervised(context, async (client) => (await client.request('status', {})).slots)) ?? []
  return slots.flatMap(({ slot, state }) =>
    slot.startsWith(SERVICE_PREFIX) ? [[slot.slice(SERVICE_PREFIX.length), state] as const] : [],
  )
}

async function tasks(context: Context, input: Input): Promise<readonly Value[]> {
  const filter = { statuses: STATUSES.filter((status) => !isClosed(status)), limit: MOST_TASKS }
  const found = await onBoardIfAny(context, input, 'read', (board) => board.list(filter))
  return found.map(({ id, title }) => [id, title])
}
