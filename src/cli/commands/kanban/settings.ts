/** `hermes kanban settings`: keys that are the same for all nodes of a board in a database. */
import { readWrittenRules } from '../../../kanban/dispatch/settings.ts'
import type { Board } from '../../../kanban/port/board.ts'
import {
  type BoardSettings,
  isSettingKey,
  SETTING_KEYS,
  type SettingKey,
  settingText,
  writtenValue,
} from '../../../kanban/port/settings.ts'
import { CONFIG_KEYS } from '../../../profile/config/keys.ts'
import { HermesError } from '../../../system/errors.ts'
import { nearest } from '../../../system/text/nearest.ts'
import type { Command, Input } from '../../context/command.ts'
import type { Context } from '../../context/context.ts'
import type { Outcome } from '../../terminal/output.ts'
import { table } from '../../view/slots-view.ts'
import { actorOf, BOARD, onBoard } from './shared.ts'

export const SETTINGS_COMMANDS: readonly Command[] = [
  {
    path: 'kanban settings',
    summary: 'Show the settings that all nodes of a board share, or change one',
    arguments: [
      { name: 'KEY', help: `key: ${SETTING_KEYS.join(', ')}`, kind: 'optional', completes: SETTING_KEYS },
      { name: 'VALUE', help: 'new value, such as 4 or {gpu: 2}; null: no limit', kind: 'optional' },
    ],
    options: [{ long: '--unset', help: "remove the key from the board: each node's config.yaml counts again" }, BOARD],
    details:
      'A board in PostgreSQL has these keys in a table; what is set there counts for every node. A key that is\n' +
      "not set there, and every key of a board in a file, is read from the default profile's config.yaml.",
    run: settings,
  },
]

async function settings(context: Context, input: Input): Promise<Outcome> {
  const [name, text] = input.args
  const isRemoval = input.options.unset === true
  if (name === undefined) {
    if (isRemoval) throw new HermesError('USAGE', '--unset needs a KEY', { next: 'hermes kanban settings KEY --unset' })
    return onBoard(context, input, 'read', (board) => all(context, board))
  }
  const key = requireKey(name)
  if (text === undefined && !isRemoval)
    return onBoard(context, input, 'read', async (board) => {
      const found = describe(context, await board.settings())(key)
      return { text: `${settingText(found.value)}\n`, json: found }
    })
  if (text !== undefined && isRemoval)
    throw new HermesError('USAGE', 'VALUE and --unset cannot be used together', { next: 'use one of them' })
  const value = text === undefined ? undefined : await parseValue(key, text)
  return onBoard(context, input, 'write', async (board) => {
    if ((await board.settings()) === null) throw inConfig(board, key, text)
    await board.set(key, value, actorOf(context))
    const found = describe(context, await board.settings())(key)
    return {
      text: `${key} is ${settingText(found.value)} (${found.source}), from the next tick on\n`,
      json: found,
    }
  })
}

async function all(context: Context, board: Board): Promise<Outcome> {
  const found = SETTING_KEYS.map(describe(context, await board.settings()))
  return {
    text: table([
      ['KEY', 'VALUE', 'FROM'],
      ...found.map(({ key, value, source }) => [key, settingText(value), source]),
    ]),
    json: found,
  }
}

/** @param settings null: the board is in a file, and has none */
function describe(context: Context, settings: BoardSettings | null) {
  const written = readWrittenRules(context.home)
  return (key: SettingKey) => {
    const ofBoard = settings?.[key]
    return ofBoard === undefined
      ? { key, value: writtenValue(written, key) ?? null, source: 'config.yaml' }
      : { key, value: ofBoard, source: 'board' }
  }
}

function requireKey(name: string): SettingKey {
  const key = name.replace(/^kanban\./, '')
  if (isSettingKey(key)) return key
  const near = nearest(key, SETTING_KEYS)
  throw new HermesError('USAGE', `${JSON.stringify(name.slice(0, 80))} is not a setting of a board`, {
    next: near === undefined ? `settings: ${SETTING_KEYS.join(', ')}` : `did you mean "${near}"?`,
  })
}

/** The same values as in config.yaml. */
async function parseValue(key: SettingKey, text: string): Promise<unknown> {
  const { kind, value: fallback } = CONFIG_KEYS[`kanban.${key}`]
  if (text === 'null' && fallback === null) return null
  const map = /^\s*\{/.test(text) ? [(await import('../../../profile/config/edit/edit.ts')).parseValue(key, text)] : []
  for (const value of [...map, scalarOf(text), text]) {
    const read = kind.read(value)
    if (read !== undefined) return read
  }
  const expected = fallback === null ? `${kind.expected}, or null` : kind.expected
  throw new HermesError('USAGE', `${key}: expected ${expected}, got ${JSON.stringify(text.slice(0, 80))}`, {
    next: `hermes kanban settings ${key} VALUE`,
  })
}

function scalarOf(text: string): unknown {
  if (text === 'true' || text === 'false') return text === 'true'
  return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text
}

const inConfig = (board: Board, key: SettingKey, text: string | undefined): HermesError =>
  new HermesError('REFUSED', `the board "${board.place.slug}" is in a file; its settings are in config.yaml`, {
    next: `hermes config set kanban.${key} ${text ?? 'null'}`,
  })
