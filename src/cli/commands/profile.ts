import { existsSync, readSync } from 'node:fs'
import { isatty } from 'node:tty'
import type { ControlClient } from '../../control/client.ts'
import { addProfile, requireVolume, stopIfThere } from '../../control/profile-actions.ts'
import { ifSupervised, registerSlot, startSlot } from '../../control/slot-actions.ts'
import { removeProfileAndWorkers } from '../../kanban/profiles/profile-removal.ts'
import { findBoards } from '../../kanban/store/boards.ts'
import { readActiveProfile, writeActiveProfile } from '../../profile/active.ts'
import { configProblemText, loadConfig } from '../../profile/config/config.ts'
import { listProfiles, renameProfile, requireProfile } from '../../profile/directory/disk.ts'
import { refuseUnfinished } from '../../profile/directory/remainders.ts'
import { refuseDefault, refuseTaken } from '../../profile/directory/remove.ts'
import { sweepLeftovers } from '../../profile/directory/staging.ts'
import { parseProfileName } from '../../profile/names.ts'
import { readDesired } from '../../profile/state/state.ts'
import type { SlotStatus } from '../../protocol/control.ts'
import { EXIT, HermesError } from '../../system/errors.ts'
import { gatewaySlot, homePaths, profileDir, slotLogDir } from '../../system/paths.ts'
import { oneLine } from '../../system/text/foreign-text.ts'
import { type Command, type Input, textOption } from '../context/command.ts'
import type { Context } from '../context/context.ts'
import { warnOn } from '../context/context.ts'
import { interruptible, withProgress } from '../context/progress.ts'
import type { Outcome } from '../terminal/output.ts'
import { durationText, slotDetails, stateText, table } from '../view/slots-view.ts'

const NAME = { name: 'NAME', help: 'name of the profile', kind: 'required', completes: 'profiles' } as const
const NO_SUCH = { [EXIT.noSuch]: 'no such profile' }

export const PROFILE_COMMANDS: readonly Command[] = [
  {
    path: 'profile create',
    writes: true,
    summary: 'Create a profile and its slot',
    arguments: [
      { name: 'NAME', help: 'name of the new profile: a-z, 0-9, _ and -, at most 64 characters', kind: 'required' },
    ],
    options: [
      {
        long: '--clone',
        value: 'FROM',
        help: 'copy settings, credentials, memories and skills from profile FROM',
        completes: 'profiles',
      },
      { long: '--start', help: 'start its gateway' },
      { long: '--description', value: 'TEXT', help: 'description shown in lists' },
    ],
    details: 'If no supervisor is running, only the files are created. The slot appears when the supervisor starts.',
    exits: {
      [EXIT.noSuch]: 'the profile to clone does not exist',
      [EXIT.timedOut]: 'the slot did not appear, or the gateway was not ready, in time',
    },
    run: create,
  },
  {
    path: 'profile delete',
    writes: true,
    summary: 'Delete a profile after stopping its gateway',
    arguments: [NAME],
    options: [
      { long: '--yes', short: '-y', help: 'delete without asking for confirmation' },
      { long: '--keep-logs', help: "keep the gateway's logs" },
    ],
    details:
      'To confirm, type the name of the profile or pass it on standard input. With --yes, no confirmation is\n' +
      'needed. Kanban workers that run for the profile are stopped, and their tasks go back to the board.',
    exits: NO_SUCH,
    run: remove,
  },
  {
    path: 'profile list',
    summary: 'List the profiles and the state of their gateways, marking the active profile with *',
    options: [{ long: '--quiet', short: '-q', help: 'print only the names' }],
    run: list,
  },
  {
    path: 'profile show',
    summary: 'Show the settings and state of one profile',
    arguments: [{ ...NAME, kind: 'optional' }],
    exits: NO_SUCH,
    run: show,
  },
  {
    path: 'profile rename',
    writes: true,
    summary: 'Rename a profile, keeping its logs and desired state',
    arguments: [
      { ...NAME, help: 'current name of the profile' },
      { name: 'NEW', help: 'new name of the profile', kind: 'required' },
    ],
    details: 'A running gateway is stopped, then started under the new name.',
    exits: NO_SUCH,
    run: rename,
  },
  {
    path: 'profile use',
    writes: true,
    summary: 'Choose the profile that commands use when -p is not given',
    arguments: [NAME],
    exits: NO_SUCH,
    run: use,
  },
]

const WHY_NO_SLOT = {
  volume: 'another container is using this volume; the slot appears when the volume is free',
  boot: 'the boot waits for this command; the slot appears when the boot is over',
  supervisor: 'the supervisor is not running; the slot appears when it starts',
} as const

async function create(context: Context, input: Input): Promise<Outcome> {
  const name = parseProfileName(input.args[0] ?? '')
  const cloneFrom = textOption(input, 'clone')
  const description = textOption(input, 'description')
  const { dir, slot, waits } = await addProfile(context, name, {
    ...(cloneFrom === undefined
      ? {}
      : { cloneFrom: requireProfile(context.home, cloneFrom.trim().toLowerCase()).name }),
    ...(description === undefined ? {} : { description }),
    start: input.options.start === true,
    building: (build) =>
      withProgress(context, 'copied', (progress) => interruptible((signal) => build({ progress, signal }))),
  })
  const next =
    slot === undefined || slot.state === 'down' ? `hermes -p ${name} gateway start` : `hermes -p ${name} logs -f`
  const registered = slot === undefined ? WHY_NO_SLOT[waits ?? 'supervisor'] : `slot ${slot.slot}: ${stateText(slot)}`
  return {
    text: `created ${dir}\n  ${registered}\n  next: ${slot === undefined ? `edit ${dir}/config.yaml and .env` : next}\n`,
    json: { name, dir, registered: slot !== undefined, ...(slot === undefined ? {} : { slot }) },
  }
}

async function remove(context: Context, input: Input): Promise<Outcome> {
  const name = (input.args[0] ?? '').trim().toLowerCase()
  refuseDefault(name, 'deleted')
  const { dir } = requireProfile(context.home, name)
  const logs = slotLogDir(context.home, gatewaySlot(name))
  const keepLogs = input.options['keep-logs'] === true
  const going = `${dir} (settings, credentials, sessions, workspace)${keepLogs ? '' : ` and ${logs}`}`
  await requireVolume(context, 'deleted', name)
  if (input.options.yes !== true) confirm(context, name, going, keepLogs)
  await sweep(context)
  const boards = await findBoards({ ...context, runDir: context.paths.runDir })
  const facts = { ...context, boards, actor: context.env.USER || 'somebody', warn: warnOn(context) }
  const stopped = await withProgress(context, 'removed', (progress) =>
    removeProfileAndWorkers({ ...facts, progress }, name, keepLogs),
  ).finally(() => boards.close())
  return {
    text: `deleted ${going}\n${stoppedText(stopped)}`,
    json: { name, deleted: keepLogs ? [dir] : [dir, logs], stopped_workers: stopped },
  }
}

const stoppedText = (tasks: readonly string[]): string =>
  tasks.length === 0
    ? ''
    : `stopped ${tasks.length === 1 ? 'its worker' : 'its workers'} on ${tasks.join(', ')}; the tasks are back on the board\n` +
      `  next: hermes kanban reassign ID PROFILE\n`

/** @throws HermesError USAGE when standard input is empty, FAILED when another name was typed or piped */
function confirm(context: Context, name: string, going: string, keepLogs: boolean): void {
  if (isatty(0)) context.output.err(`This deletes ${going}.\nType the name of the profile to confirm: `)
  const typed = readLine().trim()
  if (typed === name) return
  if (typed !== '' || isatty(0)) throw new HermesError('FAILED', `the name typed is not "${name}"; nothing was deleted`)
  throw new HermesError('USAGE', `this would delete ${going}; confirm with the name on standard input, or with --yes`, {
    next: `hermes profile delete ${name} --yes${keepLogs ? ' --keep-logs' : ''}`,
  })
}

/** One line of standard input, read a byte at a time so that nothing after it is taken. */
function readLine(): string {
  const byte = Buffer.alloc(1)
  let text = ''
  while (readSync(0, byte) === 1 && byte[0] !== 10) text += byte.toString('latin1')
  return text
}

/** Removes leftovers of an interrupted create or delete. The command itself reports a directory that it cannot read. */
const sweep = (context: Context): Promise<unknown> =>
  withProgress(context, 'removed leftovers of an interrupted command:', (progress) =>
    sweepLeftovers(homePaths(context.home).profiles, progress).catch(() => 0),
  )

async function list(context: Context, input: Input): Promise<Outcome> {
  await sweep(context)
  const { profiles, problems, moreProblems } = listProfiles(context.home)
  if (input.options.quiet === true)
    return { text: profiles.map(({ name }) => `${name}\n`).join(''), json: profiles.map(({ name }) => name) }
  const active = readActiveProfile(context.home)
  const slots = (await ifSupervised(context, async (client) => (await client.request('status', {})).slots)) ?? []
  const wallMs = context.clock.wallMs()
  const found = profiles.map(({ name, dir }) => {
    const slot = slots.find(({ slot }) => slot === gatewaySlot(name))
    return {
      name,
      slot,
      wanted: slot?.wanted ?? wantedOf(dir),
      description: loadConfig(`${dir}/config.yaml`).config.description,
      active: name === active,
    }
  })
  const rows = found.map(({ name, slot, description, active: marked }) => [
    `${marked ? '*' : ' '} ${name}`,
    slot ? stateText(slot) : '-',
    slot?.state === 'up' ? durationText(wallMs - Date.parse(slot.since)) : '-',
    slot ? String(slot.restarts) : '-',
    description,
  ])
  const skipped = [
    ...problems.map(({ name, reason }) => `warning: profiles/${oneLine(name)} is skipped: ${oneLine(reason)}\n`),
    ...(moreProblems === 0 ? [] : [`warning: profiles/ holds ${moreProblems} more entries that are skipped\n`]),
  ].join('')
  return {
    text: `${table([['  PROFILE', 'GATEWAY', 'UPTIME', 'RESTARTS', 'DESCRIPTION'], ...rows])}${skipped}`,
    json: found.map(({ slot, ...profile }) => ({ ...profile, ...(slot ? { state: slot.state } : {}) })),
  }
}

const wantedOf = (dir: string): 'up' | 'down' => (readDesired(dir).wanted === 'running' ? 'up' : 'down')

async function show(context: Context, input: Input): Promise<Outcome> {
  const { name, dir } =
    input.args[0] === undefined ? context.profile() : requireProfile(context.home, input.args[0].trim().toLowerCase())
  const { config, problems } = loadConfig(`${dir}/config.yaml`)
  const desired = readDesired(dir)
  const slot = await ifSupervised(
    context,
    async (client): Promise<SlotStatus | undefined> =>
      (await client.request('status', {})).slots.find((one) => one.slot === gatewaySlot(name)),
  )
  const facts = {
    name,
    dir,
    description: config.description,
    active: readActiveProfile(context.home) === name,
    desired: desired.wanted ?? 'none',
    log: `${slotLogDir(context.home, gatewaySlot(name))}/current`,
  }
  const runs = config.gateway.command?.join(' ') ?? 'the built-in gateway'
  const lines = Object.entries({ ...facts, runs }).map(([key, value]) => `  ${key.padEnd(13)}${oneLine(String(value))}`)
  const warnings = [...problems.map(configProblemText), ...desired.warnings]
  return {
    text: `${lines.join('\n')}\n${slot ? `\n${slotDetails(slot, context.clock.wallMs())}` : ''}${warnings.map((text) => `warning: ${oneLine(text)}\n`).join('')}`,
    json: { ...facts, command: config.gateway.command, ...(slot ? { slot } : {}), warnings },
  }
}

async function rename(context: Context, input: Input): Promise<Outcome> {
  const from = (input.args[0] ?? '').trim().toLowerCase()
  refuseDefault(from, 'renamed')
  requireProfile(context.home, from)
  await sweep(context)
  const to = parseProfileName(input.args[1] ?? '')
  await refuseTaken(context.home, to)
  refuseUnfinished(context.home, to)
  await requireVolume(context, 'renamed', from)
  const slot = await ifSupervised(context, async (client) => {
    const before = (await client.request('status', {})).slots.find((one) => one.slot === gatewaySlot(from))
    const running = before !== undefined && before.wanted !== 'down'
    try {
      if (running) await stopIfThere(context, client, from)
      await renameProfile(context.home, from, to)
    } catch (error) {
      if (running) await startAgain(context, client, existsSync(profileDir(context.home, from)) ? from : to)
      throw error
    }
    const registered = await registerSlot(client, gatewaySlot(to))
    return running ? (await startSlot(context, client, to, { keepDesired: true })).slot : registered
  })
  if (!slot) await renameProfile(context.home, from, to)
  const { dir } = requireProfile(context.home, to)
  return {
    text: `renamed ${from} to ${to}: ${dir}${slot ? `, gateway ${stateText(slot)}` : ''}\n`,
    json: { name: to, dir, ...(slot ? { slot } : {}) },
  }
}

/** Restores the desired state after a failed rename. A second failure is printed beside the first one. */
async function startAgain(context: Context, client: ControlClient, name: string): Promise<void> {
  try {
    await startSlot(context, client, name, { wait: false, keepDesired: true })
  } catch (error) {
    context.output.err(`hermes: gateway-${name} could not be restarted: ${(error as Error).message}\n`)
  }
}

async function use(context: Context, input: Input): Promise<Outcome> {
  const { name, dir } = requireProfile(context.home, (input.args[0] ?? '').trim().toLowerCase())
  await writeActiveProfile(context.home, name)
  return { text: `commands without -p now use "${name}" (${dir})\n`, json: { name, dir } }
}
