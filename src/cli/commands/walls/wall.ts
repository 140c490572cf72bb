import { join } from 'node:path'
import { ifSupervised, startSlot, stopSlot, withSupervisor } from '../../../control/slot-actions.ts'
import { changeAlone } from '../../../profile/change-file.ts'
import { loadConfig, MAX_CONFIG_BYTES } from '../../../profile/config/config.ts'
import { requireProfile } from '../../../profile/directory/disk.ts'
import { refuseDefault } from '../../../profile/directory/remove.ts'
import { CONFIG_MODE, configText } from '../../../profile/directory/templates.ts'
import { replaceFile } from '../../../profile/replace-file.ts'
import { readWalls } from '../../../profile/walled.ts'
import { EXIT, HermesError } from '../../../system/errors.ts'
import { readRegularFile } from '../../../system/files/small-file.ts'
import { SUPERVISED_MARKER } from '../../../system/markers.ts'
import { gatewaySlot } from '../../../system/paths.ts'
import { WALLS_FILE, type Wall } from '../../../walls/record.ts'
import type { Command, Input } from '../../context/command.ts'
import type { Context } from '../../context/context.ts'
import type { Outcome } from '../../terminal/output.ts'

export const WALL_COMMANDS: readonly Command[] = [
  {
    path: 'profile wall',
    writes: true,
    summary: 'Run a profile as a user of its own, walled off from the other profiles',
    arguments: [{ name: 'NAME', help: 'name of the profile', kind: 'required', completes: 'profiles' }],
    options: [{ long: '--off', help: 'take the wall down: the profile runs as the runtime user again' }],
    details:
      'Sets gateway.user: own in the config.yaml of the profile, and starts its gateway again if it runs. The first\n' +
      'start records the wall. After that, the record counts and the file does not. For a profile that is walled, the\n' +
      'command shows the record. --off stops the gateway, removes the record and gives the files back. It is refused\n' +
      'in a slot.',
    exits: { [EXIT.noSuch]: 'no such profile' },
    run: wall,
  },
]

async function wall(context: Context, input: Input): Promise<Outcome> {
  const name = (input.args[0] ?? '').trim().toLowerCase()
  refuseDefault(name, 'walled')
  const { dir } = requireProfile(context.home, name)
  const walls = readWalls(context.home)
  if (typeof walls === 'string')
    throw new HermesError('FAILED', `${join(context.home, WALLS_FILE)} cannot be used: ${walls}`, {
      next: 'correct it or restore it from a backup, then restart the container',
    })
  const found = walls.get(name)
  if (input.options.off === true) return takeDown(context, name, found)
  if (found !== undefined) return shown(name, found)
  return putUp(context, name, dir)
}

function shown(name: string, { uid, essential, memoryLimit }: Wall): Outcome {
  const limit = memoryLimit === null ? 'none' : `${memoryLimit} bytes`
  return {
    text: `${name} is walled: uid ${uid}, essential ${essential}, memory limit ${limit}\n`,
    json: { name, walled: true, uid, essential, memory_limit: memoryLimit },
  }
}

async function putUp(context: Context, name: string, dir: string): Promise<Outcome> {
  if (!context.env.HERMES_PROFILE_UIDS)
    throw new HermesError('REFUSED', `"${name}" cannot be walled: the container has no HERMES_PROFILE_UIDS`, {
      next: 'start the container with -e HERMES_PROFILE_UIDS=20000-29999 (docs/walls.md)',
    })
  await setUser(context, dir, 'own')
  const slot = await ifSupervised(context, async (client) => {
    const before = (await client.request('status', {})).slots.find(({ slot }) => slot === gatewaySlot(name))
    if (before === undefined || before.wanted === 'down') return before
    await stopSlot(context, client, name, { keepDesired: true })
    return (await startSlot(context, client, name, { keepDesired: true })).slot
  })
  const uid = mapOf(readWalls(context.home)).get(name)?.uid
  const state = uid === undefined ? 'the next start of its gateway walls it' : `walled, uid ${uid}`
  return {
    text: `${name}: ${state}\n${uid === undefined ? `  next: hermes -p ${name} gateway start\n` : ''}`,
    json: { name, walled: uid !== undefined, ...(uid !== undefined && { uid }), ...(slot && { slot }) },
  }
}

const mapOf = (walls: ReturnType<typeof readWalls>) => (typeof walls === 'string' ? new Map<string, Wall>() : walls)

async function takeDown(context: Context, name: string, found: Wall | undefined): Promise<Outcome> {
  if (context.env[SUPERVISED_MARKER] === '1')
    throw new HermesError('REFUSED', `the wall of "${name}" stays: this is a program in a slot`, {
      next: `run it from outside: docker exec CONTAINER hermes profile wall ${name} --off`,
    })
  const { dir } = requireProfile(context.home, name)
  if (found === undefined) {
    await setUser(context, dir, 'null')
    return { text: `${name} is not walled\n`, json: { name, walled: false } }
  }
  await withSupervisor(context, async (client) => {
    await stopSlot(context, client, name, {})
    await client.request('unwall', { profile: name }, { timeoutMs: 90_000 })
  })
  await setUser(context, dir, 'null')
  return {
    text: `${name} is not walled any more; its gateway is stopped\n  next: hermes -p ${name} gateway start\n`,
    json: { name, walled: false },
  }
}

async function setUser(context: Context, dir: string, value: 'own' | 'null'): Promise<void> {
  const file = join(dir, 'config.yaml')
  if ((loadConfig(file, 'refused').config.gateway.user === null) === (value === 'null')) return
  const { setConfigValue } = await import('../../../profile/config/edit/edit.ts')
  await changeAlone(file, { clock: context.clock, mode: CONFIG_MODE }, async () => {
    const text = readRegularFile(file, MAX_CONFIG_BYTES) || configText(false)
    await replaceFile(file, setConfigValue(text, 'gateway.user', value), CONFIG_MODE)
  })
}
