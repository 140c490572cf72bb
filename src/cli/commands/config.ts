import { join } from 'node:path'
import { isatty } from 'node:tty'
import { changeAlone } from '../../profile/change-file.ts'
import {
  type ConfigProblem,
  configProblemText,
  loadConfig,
  MAX_CONFIG_BYTES,
  parseConfig,
} from '../../profile/config/config.ts'
import { effectOf, ownerOf, refuseWithoutEffect } from '../../profile/config/effect.ts'
import { CONFIG_KEYS, type ConfigKey, configKeys } from '../../profile/config/keys.ts'
import type { Kind } from '../../profile/config/kinds/kinds.ts'
import { refusedSecrets, refuseSecretKey } from '../../profile/config/refused-secrets.ts'
import { listProfiles } from '../../profile/directory/disk.ts'
import { CONFIG_MODE, configText } from '../../profile/directory/templates.ts'
import { readContainerEnvironment, readDotEnv } from '../../profile/environment/environment.ts'
import { DEFAULT_PROFILE } from '../../profile/names.ts'
import { replaceFile } from '../../profile/replace-file.ts'
import { unlessCode } from '../../system/error-code.ts'
import { EXIT, HermesError } from '../../system/errors.ts'
import { readRegularFile } from '../../system/files/small-file.ts'
import { isImageInstall } from '../../system/programs/install.ts'
import { isProgram, lookAt, placesOf } from '../../system/programs/look.ts'
import { findProgram, readable } from '../../system/programs/program.ts'
import { oneLine, warningLine } from '../../system/text/foreign-text.ts'
import { nearest } from '../../system/text/nearest.ts'
import { unknownPool } from '../checks/pools.ts'
import type { Command, Input } from '../context/command.ts'
import { type Context, ownProfile } from '../context/context.ts'
import type { EditorBundle } from '../terminal/editor.ts'
import type { Outcome } from '../terminal/output.ts'
import { readText } from '../terminal/terminal.ts'
import { table } from '../view/slots-view.ts'

const KEY = {
  name: 'KEY',
  help: 'name of a key, such as gateway.restart',
  kind: 'required',
  completes: 'config-keys',
} as const

export const CONFIG_COMMANDS: readonly Command[] = [
  {
    path: 'config get',
    summary: 'Print the effective value of a key, or of every key',
    arguments: [{ ...KEY, kind: 'optional' }],
    exits: { [EXIT.noSuch]: 'no such profile' },
    run: get,
  },
  {
    path: 'config set',
    writes: true,
    summary: "Set a key in the profile's config.yaml, keeping its comments",
    arguments: [
      KEY,
      {
        name: 'VALUE',
        help: 'new value, as YAML: never, 30s, [sh, -c, "exec x"], {fd: 3}; null restores the default',
        kind: 'required',
      },
    ],
    details:
      'The file is left unchanged (exit code 2) when the key is unknown, does not accept the value, has no\n' +
      "effect in this profile, or is a secret that the image takes only from the container's environment. The\n" +
      'output says when the new value takes effect.',
    exits: { [EXIT.noSuch]: 'no such profile' },
    run: set,
  },
  {
    path: 'config edit',
    writes: true,
    summary: 'Edit config.yaml in $VISUAL or $EDITOR, then check it',
    details:
      'Without a terminal and without those variables, the new file is read from standard input:\n' +
      'hermes config edit <FILE',
    exits: { [EXIT.noSuch]: 'no such profile' },
    run: edit,
  },
  {
    path: 'config check',
    summary: 'Report every problem in config.yaml with its line and key',
    options: [{ long: '--all', help: 'check every profile' }],
    exits: { 1: 'the configuration has a problem', [EXIT.noSuch]: 'no such profile' },
    run: check,
  },
  {
    path: 'config schema',
    summary: 'Print the JSON Schema of config.yaml or services.yaml, for editors',
    arguments: [
      {
        name: 'FILE',
        help: 'config.yaml (the default) or services.yaml',
        kind: 'optional',
        completes: ['config.yaml', 'services.yaml'],
      },
    ],
    run: schema,
  },
]

const fileOf = (dir: string): string => join(dir, 'config.yaml')

async function get(context: Context, input: Input): Promise<Outcome> {
  const { readValues } = await import('../../profile/config/reader.ts')
  const { name, dir } = ownProfile(context)
  const read = (file: string) => ({ file, ...readValues(readRegularFile(file, MAX_CONFIG_BYTES) ?? '', file) })
  const none = () => ({ file: fileOf(context.home), ...readValues('', '') })
  const own = read(fileOf(dir))
  // A walled profile may not read the settings of the volume: it sees their defaults.
  const shared = name === DEFAULT_PROFILE ? own : unlessCode(['EACCES'], () => read(fileOf(context.home)), none())
  const describe = (key: ConfigKey) => {
    const { file, values, set: written } = ownerOf(key, name) === name ? own : shared
    return {
      key,
      value: shownValue(key, values[key]),
      source: written.has(key) ? file : 'default',
    }
  }
  const [wished] = input.args
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

/** Of a secret, nothing is shown, or as much as its kind lets out. */
function shownValue(key: ConfigKey, value: unknown): unknown {
  const { kind }: { readonly kind: Kind<unknown> } = CONFIG_KEYS[key]
  if (!kind.secret || value === null) return value
  return kind.shown === undefined ? '****' : kind.shown(value)
}

/** Formats a value: durations with a unit, texts unchanged, everything else as JSON. */
function valueText(key: ConfigKey, value: unknown): string {
  if (CONFIG_KEYS[key].kind.converted && typeof value === 'number')
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

async function schema(_context: Context, { args: [file = 'config.yaml'] }: Input): Promise<Outcome> {
  const json = await schemaOf(file)
  return { text: `${JSON.stringify(json, null, 2)}\n`, json }
}

async function schemaOf(file: string): Promise<unknown> {
  if (file === 'config.yaml') return (await import('../../profile/config/schema.ts')).configJsonSchema()
  if (file === 'services.yaml') return (await import('../../services/yaml-schema.ts')).servicesJsonSchema()
  throw new HermesError('USAGE', `there is no schema of ${JSON.stringify(file)}`, {
    next: 'name config.yaml or services.yaml',
  })
}

async function set(context: Context, input: Input): Promise<Outcome> {
  const [key = '', value = ''] = input.args
  const { setConfigValue } = await import('../../profile/config/edit/edit.ts')
  const { name, dir } = ownProfile(context)
  refuseWithoutEffect(key, value, name)
  const file = fileOf(dir)
  await changeAlone(file, { clock: context.clock, mode: CONFIG_MODE }, async () => {
    const text = readRegularFile(file, MAX_CONFIG_BYTES) || configText(name === 'default')
    const edited = setConfigValue(text, key, value)
    if (isImageInstall(context.install)) refuseSecretKey(key, parseConfig(edited, file).config.dashboard)
    await replaceFile(file, edited, CONFIG_MODE)
  })
  if (key === 'gateway.command') warnOfMissing(context, name, dir)
  // It may be made later, so the key is set all the same.
  const pool = key === 'agent.pool' ? await unknownPool(context, file) : undefined
  if (pool !== undefined) context.output.err(warningLine(oneLine(configProblemText(pool))))
  const { when, next } = effectOf(key, name)
  return {
    text: `${file}: ${key} is set; it counts ${when}\n${next === undefined ? '' : `  next: ${next}\n`}`,
    json: { file, key, counts: when },
  }
}

/** The value is right and may be meant for later, so it is set all the same. */
function warnOfMissing(context: Context, profile: string, dir: string): void {
  const { env, command } = loadConfig(fileOf(dir)).config.gateway
  const [program] = command ?? []
  if (program === undefined) return
  const container = readContainerEnvironment(context.paths.environmentDir)
  const own = env.PATH ?? readDotEnv(join(dir, '.env')).variables.PATH ?? container.PATH ?? context.env.PATH ?? ''
  // Same PATH as in the gateway: our own directory comes first, and only once.
  const ours = join(context.install, 'bin')
  const path = [ours, ...own.split(':').filter((one) => one !== '' && one !== ours)].join(':')
  const seen = placesOf(program, { path, cwd: dir }).map(lookAt)
  if (seen.some((one) => (program.includes('/') ? typeof one === 'object' : isProgram(one)))) return
  const where = !program.includes('/')
    ? `was not found on PATH (${path})`
    : seen[0] === 'hidden'
      ? 'lies in a directory that this user may not enter'
      : 'does not exist'
  context.output.err(warningLine(`"${program}" ${where}, so the gateway of "${profile}" cannot start yet`))
}

/** Tried in this order where no variable names one. */
const EDITORS = ['vi', 'nano', 'editor']

async function edit(context: Context): Promise<Outcome> {
  const { name, dir } = ownProfile(context)
  const file = fileOf(dir)
  const wished = context.env.VISUAL || context.env.EDITOR
  if (!wished && !isatty(0)) return replaceFromInput(context, name, file)
  const path = context.env.PATH ?? ''
  const editor = wished ?? EDITORS.find((one) => findProgram(one, { path, look: readable }) !== undefined)
  if (editor === undefined) throw noEditor(EDITORS.join(', '), name)
  const { editFile } = require('#bundle/editor.cjs') as EditorBundle
  const { exitCode, failure } = await editFile(editor, file)
  if (exitCode === EXIT.notFound) throw noEditor(editor, name)
  if (failure !== undefined)
    throw new HermesError('FAILED', `the editor "${editor}" ended with ${failure}; see ${file}`, {
      next: `hermes -p ${name} config check`,
    })
  return checkFiles(context, [file])
}

const noEditor = (tried: string, profile: string): HermesError =>
  new HermesError('FAILED', `no editor found (tried ${tried}); nothing was changed`, {
    next: `set EDITOR, use hermes config set KEY VALUE, or pass the whole file: hermes -p ${profile} config edit <FILE`,
  })

/** Without a terminal, the new text comes from standard input; a text with problems changes nothing. */
async function replaceFromInput(context: Context, profile: string, file: string): Promise<Outcome> {
  const text = await readText(process.stdin, 'standard input', MAX_CONFIG_BYTES)
  if (text.trim() === '') throw noEditor('none, because there is no terminal', profile)
  const { config, problems } = parseConfig(text, 'standard input')
  const [problem] = problems
  if (problem !== undefined)
    throw new HermesError('USAGE', configProblemText(problem), {
      next: `nothing changed in ${file}; correct that line`,
    })
  if (isImageInstall(context.install) && profile === DEFAULT_PROFILE) refuseSecretKey('dashboard', config.dashboard)
  await changeAlone(file, { clock: context.clock, mode: CONFIG_MODE }, () => replaceFile(file, text, CONFIG_MODE))
  return { text: `${file} is replaced\n  next: hermes -p ${profile} gateway restart\n`, json: { file } }
}

function check(context: Context, input: Input): Promise<Outcome> {
  const dirs =
    input.options.all === true ? listProfiles(context.home).profiles.map(({ dir }) => dir) : [ownProfile(context).dir]
  return checkFiles(context, dirs.map(fileOf))
}

async function checkFiles(context: Context, files: readonly string[]): Promise<Outcome> {
  const problems: ConfigProblem[] = []
  for (const file of files) {
    const { config, problems: found } = loadConfig(file)
    const isAsked = isImageInstall(context.install) && file === fileOf(context.home)
    const pool = await unknownPool(context, file)
    problems.push(...found, ...(pool ? [pool] : []), ...(isAsked ? refusedSecrets(file, config.dashboard) : []))
  }
  if (problems.length === 0) return { text: files.map((file) => `${file}: no problems\n`).join(''), json: { problems } }
  return {
    text: problems.map((problem) => `${oneLine(configProblemText(problem))}\n`).join(''),
    json: { problems },
    exitCode: EXIT.failed,
  }
}
