/**
 * Backups at times. They are runs of a profile whose gateway is the command: it has a log, a state and a schedule as
 * any other, and nothing is started that is not configured.
 */
import { statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { addProfile, removeProfile, requireVolume, stopIfThere } from '../../../control/profile-actions.ts'
import { ifSupervised, startSlot } from '../../../control/slot-actions.ts'
import { changeAlone } from '../../../profile/change-file.ts'
import { loadConfig, MAX_CONFIG_BYTES } from '../../../profile/config/config.ts'
import { profileExists } from '../../../profile/directory/disk.ts'
import { CONFIG_MODE } from '../../../profile/directory/templates.ts'
import { replaceFile } from '../../../profile/replace-file.ts'
import { writeDesired } from '../../../profile/state/state.ts'
import { HermesError } from '../../../system/errors.ts'
import { readRegularFile } from '../../../system/files/small-file.ts'
import { profileDir } from '../../../system/paths.ts'
import { shellWord } from '../../../system/programs/sh-environment.ts'
import { oneLine } from '../../../system/text/foreign-text.ts'
import { type Input, textOption } from '../../context/command.ts'
import type { Context } from '../../context/context.ts'
import type { Outcome } from '../../terminal/output.ts'
import { parseKeep } from './keep.ts'

const PROFILE = 'backup'
const DESCRIPTION = 'backs up this home at times'
const KEPT = 7

interface Scheduled {
  /** Cron fields. */
  readonly at: string
  /** `hermes backup --keep 7` */
  readonly command: readonly string[]
}

/** `hermes backup schedule` */
export async function schedule(context: Context, input: Input): Promise<Outcome> {
  const [at] = input.args
  const isRemoval = input.options.remove === true
  const options = ['keep', 'out'].filter((name) => textOption(input, name) !== undefined)
  if (isRemoval && (at !== undefined || options.length > 0))
    throw new HermesError('USAGE', '--remove takes nothing else', { next: 'hermes backup schedule --remove' })
  if (at === undefined && options.length > 0)
    throw new HermesError('USAGE', `--${options[0]} is for a schedule that is being set`, {
      next: `name its times, too: hermes backup schedule '0 3 * * *' --${options[0]} …`,
    })
  if (isRemoval) return remove(context)
  return at === undefined ? show(context) : set(context, at, input)
}

/** @returns undefined: none is set. @throws HermesError REFUSED: a profile of this name is something else */
function scheduled({ home }: Context): Scheduled | undefined {
  if (!profileExists(home, PROFILE)) return undefined
  const dir = profileDir(home, PROFILE)
  const { gateway, description } = loadConfig(join(dir, 'config.yaml')).config
  const command = gateway.command ?? []
  const isBackup = command[0] === 'hermes' && command[1] === 'backup'
  if (isBackup && gateway.schedule !== null) return { at: gateway.schedule, command }
  // Made by a command that was killed before the next step.
  if (description === DESCRIPTION && (isBackup || command.length === 0)) return undefined
  throw new HermesError('REFUSED', `${dir} is a profile of yours, and the schedule needs its name`, {
    next: `hermes profile rename ${PROFILE} NEW; then run the command again`,
  })
}

function show(context: Context): Outcome {
  const found = scheduled(context)
  if (found === undefined)
    return { text: "no backup is scheduled\n  next: hermes backup schedule '0 3 * * *'\n", json: null }
  return { text: `${textOf(found)}\n  next: hermes why ${PROFILE}; hermes logs ${PROFILE}\n`, json: found }
}

/** `0 3 * * *: hermes backup --keep 7` */
const textOf = ({ at, command }: Scheduled): string => oneLine(`${at}: ${command.join(' ')}`)

async function set(context: Context, at: string, input: Input): Promise<Outcome> {
  const { home, clock } = context
  const command = commandOf(input)
  const { setConfigValue } = await import('../../../profile/config/edit/edit.ts')
  const edited = (text: string): string =>
    setConfigValue(
      setConfigValue(text, 'gateway.command', JSON.stringify(command)),
      'gateway.schedule',
      JSON.stringify(at),
    )
  edited('') // throws before anything is made
  scheduled(context)
  await requireVolume(context, 'scheduled', PROFILE)
  if (!profileExists(home, PROFILE)) await addProfile(context, PROFILE, { description: DESCRIPTION })
  const dir = profileDir(home, PROFILE)
  const file = join(dir, 'config.yaml')
  await changeAlone(file, { clock, mode: CONFIG_MODE }, () =>
    replaceFile(file, edited(readRegularFile(file, MAX_CONFIG_BYTES) ?? ''), CONFIG_MODE),
  )
  const started = await ifSupervised(context, async (client) => {
    // A schedule counts from a start, and a restart would make a backup now.
    await stopIfThere(context, client, PROFILE)
    await startSlot(context, client, PROFILE, { wait: false })
    return true
  })
  if (started !== true) writeDesired(dir, 'running')
  return {
    text: `${textOf({ at, command })}\n  it is the gateway of the profile "${PROFILE}"\n  next: hermes why ${PROFILE}\n`,
    json: { at, command },
  }
}

/** @throws HermesError USAGE */
function commandOf(input: Input): readonly string[] {
  const keep = parseKeep(textOption(input, 'keep') ?? `${KEPT}`)
  const out = textOption(input, 'out')
  if (out === undefined) return ['hermes', 'backup', '--keep', `${keep}`]
  const dir = resolve(out)
  if (statSync(dir, { throwIfNoEntry: false })?.isDirectory() === true)
    return ['hermes', 'backup', '--out', dir, '--keep', `${keep}`]
  throw new HermesError('USAGE', `${dir} is not a directory`, { next: `mkdir ${shellWord(dir)}, or name another one` })
}

async function remove(context: Context): Promise<Outcome> {
  const found = scheduled(context)
  if (!profileExists(context.home, PROFILE)) return { text: 'no backup is scheduled\n', json: null }
  await requireVolume(context, 'removed', PROFILE)
  await removeProfile(context, PROFILE, false)
  const was = found === undefined ? '' : ` (${textOf(found)})`
  return { text: `the schedule is removed${was}; the backups are still there\n`, json: found ?? null }
}
