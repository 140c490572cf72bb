import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { configProblemText, loadConfig, MAX_CONFIG_BYTES } from '../../profile/config.ts'
import { effectOf, ownerOf, refuseWithoutEffect } from '../../profile/config-effect.ts'
import { CONFIG_KEYS, type ConfigKey, configKeys } from '../../profile/config-keys.ts'
import { listProfiles } from '../../profile/disk.ts'
import { replaceFile } from '../../profile/files.ts'
import { DEFAULT_PROFILE } from '../../profile/names.ts'
import { configText } from '../../profile/templates.ts'
import { EXIT, HermesError } from '../../system/errors.ts'
import { oneLine } from '../../system/foreign-text.ts'
import { nearest } from '../../system/nearest.ts'
import { readRegularFile } from '../../system/small-file.ts'
import type { Command, Input } from '../command.ts'
import type { Context } from '../context.ts'
import type { Outcome } from '../output.ts'
import { table } from '../slots-view.ts'

const KEY = { name: 'KEY', help: 'such as gateway.restart', kind: 'required' } as const

export const CONFIG_COMMANDS: readonly Command[] = [
  {
    path: 'config get',
    summary: 'the value in force of a key, or of all keys',
    arguments: [{ ...KEY, kind: 'optional' }],
    exits: { [EXIT.noSuch]: 'no such profile' },
    run: get,
  },
  {
    path: 'config set',
    writes: true,
    summary: "write a key to the profile's config.yaml; comments stay",
    arguments: [
      KEY,
      {
        name: 'VALUE',
        help: 'as YAML: never, 30s, [sh, -c, "exec x"], {fd: 3}; null = back to the default',
        kind: 'required',
      },
    ],
    details:
      'Nothing is written when the key is unknown, does not take the value, or has no effect in this profile (exit code 2). The answer\nsays when it counts.',
    exits: { [EXIT.noSuch]: 'no such profile' },
    run: set,
  },
  {
    path: 'config edit',
    writes: true,
    summary: 'open config.yaml in $VISUAL or $EDITOR, then check it',
    exits: { [EXIT.noSuch]: 'no such profile' },
    run: edit,
  },
  {
    path: 'config check',
    summary: 'say what is wrong in config.yaml, with line and key',
    options: [{ long: '--all', help: 'every profile' }],
    exits: { 1: 'something is wrong', [EXIT.noSuch]: 'no such profile' },
    run: check,
  },
]

const fileOf = (dir: string): string => join(dir, 'config.yaml')

async function get(context: Context, input: Input): Promise<Outcome> {
  const { readValues } = await import('../../profile/config-reader.ts')
  const { name, dir } = context.profile()
  const read = (file: string) => ({ file, ...readValues(readRegularFile(file, MAX_CONFIG_BYTES) ?? '', file) })
  const own = read(fileOf(dir))
  const shared = name === DEFAULT_PROFILE ? own : read(fileOf(context.home))
  const describe = (key: ConfigKey) => {
    const { file, values, set: written } = ownerOf(key, name) === name ? own : shared
    return {
      key,
      value: CONFIG_KEYS[key].kind.type === 'secret' && values[key] !== null ? '****' : values[key],
      source: written.has(key) ? file : 'default',
    }
  }
  const [wished] = input.words
  if (wished !== undefined) {
    const key = requireKey(wished)
    const found = describe(key)
    return { text: `${valueText(key, found.value)}\n`, json: found }
  }
  const all = configKeys().map(describe)
  return {
    text: table(all.map(({ key, value, source }) => [key, valueText(key, value), source === 'default' ? '' : source])),
    json: all,
  }
}

/** Durations with their unit, texts as they are, the rest as JSON. */
function valueText(key: ConfigKey, value: unknown): string {
  if (CONFIG_KEYS[key].kind.type === 'duration')
    return Number(value) % 1000 === 0 ? `${Number(value) / 1000}s` : `${value}ms`
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function requireKey(text: string): ConfigKey {
  const known = configKeys().find((key) => key === text)
  if (known) return known
  const near = nearest(text, configKeys())
  throw new HermesError('USAGE', `config.yaml has no key "${text}"`, {
    next: near === undefined ? 'hermes config get lists the keys' : `did you mean ${near}?`,
  })
}

async function set(context: Context, input: Input): Promise<Outcome> {
  const [key = '', value = ''] = input.words
  const { setConfigValue } = await import('../../profile/config-edit.ts')
  const { name, dir } = context.profile()
  refuseWithoutEffect(key, value, name)
  const file = fileOf(dir)
  const text = readRegularFile(file, MAX_CONFIG_BYTES) ?? configText(name === 'default')
  await replaceFile(file, setConfigValue(text, key, value), 0o644)
  const { when, next } = effectOf(key, name)
  return {
    text: `${file}: ${key} is set; it counts ${when}\n${next === undefined ? '' : `  next: ${next}\n`}`,
    json: { file, key, counts: when },
  }
}

function edit(context: Context): Outcome {
  const { dir } = context.profile()
  const file = fileOf(dir)
  const editor = context.env.VISUAL || context.env.EDITOR || 'vi'
  // Through a shell, as git does it: EDITOR may hold arguments.
  const { status, error } = spawnSync('/bin/sh', ['-c', `${editor} "$1"`, 'sh', file], { stdio: 'inherit' })
  if (error || status !== 0) {
    throw new HermesError(
      'FAILED',
      `the editor "${editor}" ended with ${error?.message ?? status}: ${file} is as it left it`,
      { next: 'EDITOR names another editor; hermes config set needs none' },
    )
  }
  return checkFiles([file])
}

function check(context: Context, input: Input): Outcome {
  const dirs =
    input.options.all === true ? listProfiles(context.home).profiles.map(({ dir }) => dir) : [context.profile().dir]
  return checkFiles(dirs.map(fileOf))
}

function checkFiles(files: readonly string[]): Outcome {
  const problems = files.flatMap((file) => loadConfig(file).problems)
  if (problems.length === 0)
    return { text: files.map((file) => `${file}: nothing wrong\n`).join(''), json: { problems } }
  return {
    text: problems.map((problem) => `${oneLine(configProblemText(problem))}\n`).join(''),
    json: { problems },
    exitCode: EXIT.failed,
  }
}
