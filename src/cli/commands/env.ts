import { join } from 'node:path'
import { changeAlone } from '../../profile/change-file.ts'
import { configProblemText, isSecretsProblem, loadConfig } from '../../profile/config/config.ts'
import { refuseClosedVariable } from '../../profile/config/refused-secrets.ts'
import { withVariable } from '../../profile/environment/dot-env-edit.ts'
import { readContainerEnvironment, readDotEnv, slotEnvironment } from '../../profile/environment/environment.ts'
import { sourceText } from '../../profile/environment/fetch-secrets.ts'
import { meteredAccess } from '../../profile/environment/metered.ts'
import { ownName } from '../../profile/environment/own-environment.ts'
import { replaceFile } from '../../profile/replace-file.ts'
import { EXIT, HermesError } from '../../system/errors.ts'
import { readRegularFile } from '../../system/files/small-file.ts'
import { gatewaySlot } from '../../system/paths.ts'
import { IMAGE_RUN_DIR, isImageInstall } from '../../system/programs/install.ts'
import { oneLine } from '../../system/text/foreign-text.ts'
import type { Command, Input } from '../context/command.ts'
import { type Context, ownProfile } from '../context/context.ts'
import type { Outcome } from '../terminal/output.ts'
import { openPrompter, readText } from '../terminal/terminal.ts'

const NAME = { name: 'NAME', help: 'name of the variable, such as API_SERVER_KEY', kind: 'required' } as const
const EXITS = { [EXIT.noSuch]: 'no such profile' }
const MAX_VALUE_BYTES = 64 * 1024

export const ENV_COMMANDS: readonly Command[] = [
  {
    path: 'env show',
    summary: "Print the environment of the profile's gateway with the source of each value, masking secrets",
    exits: EXITS,
    run: showEnvironment,
  },
  {
    path: 'env set',
    writes: true,
    summary: "Set a variable in the profile's .env, reading its value from standard input",
    arguments: [NAME],
    details:
      'Example: echo "$VALUE" | hermes env set NAME\n' +
      'The value is never an argument, so it does not appear in process lists. Other lines of the file are\n' +
      'kept. The new value takes effect at the next start of the gateway.',
    exits: EXITS,
    run: setVariable,
  },
  {
    path: 'env unset',
    writes: true,
    summary: "Remove a variable from the profile's .env",
    arguments: [NAME],
    exits: EXITS,
    run: (context, input) => change(context, input, undefined),
  },
]

async function setVariable(context: Context, input: Input): Promise<Outcome> {
  const prompter = openPrompter(context.output.err)
  try {
    const [name = ''] = input.args
    if (isImageInstall(context.install)) refuseClosedVariable(name)
    const value = prompter.interactive
      ? await prompter.secret(`${name} (not shown): `)
      : (await readText(process.stdin, 'standard input', MAX_VALUE_BYTES)).replace(/\r?\n$/, '')
    if (value === undefined || value === '')
      throw new HermesError('USAGE', 'no value given; nothing was changed', {
        next: 'echo "$VALUE" | hermes env set NAME, or: hermes env unset NAME',
      })
    return await change(context, input, value)
  } finally {
    prompter.close()
  }
}

async function change(context: Context, { args: [name = ''] }: Input, value: string | undefined): Promise<Outcome> {
  const { name: profile, dir } = ownProfile(context)
  const file = join(dir, '.env')
  await changeAlone(file, { clock: context.clock, mode: 0o600 }, () => {
    const text = readRegularFile(file, MAX_VALUE_BYTES * 2) ?? ''
    return replaceFile(file, withVariable(text, name, value), 0o600)
  })
  return {
    text:
      `${file}: ${name} is ${value === undefined ? 'removed' : 'set'}\n` +
      `  next: hermes -p ${profile} gateway restart\n`,
    json: { file, name, set: value !== undefined },
  }
}

function showEnvironment(context: Context): Outcome {
  const { name, dir } = ownProfile(context)
  const dotEnv = readDotEnv(join(dir, '.env'))
  const { config, problems } = loadConfig(join(dir, 'config.yaml'))
  const container = readContainerEnvironment(context.paths.environmentDir)
  const stopTimeout = container.HERMES_STOP_TIMEOUT
  const { variables, warnings } = slotEnvironment({
    slot: gatewaySlot(name),
    profile: name,
    home: context.home,
    profileDir: dir,
    runDir: context.paths.runDir,
    user: { name: context.env.USER ?? ownName(), home: context.env.HOME ?? context.home },
    path: [...(context.paths.runDir === IMAGE_RUN_DIR ? ['/command'] : []), join(context.install, 'bin')],
    container,
    dotEnv: dotEnv.variables,
    gatewayEnv: config.gateway.env,
    secretNames: Object.keys(config.secrets),
    metered: meteredAccess(name, config.agent, () => 'made at each start'),
    ...(stopTimeout === undefined ? {} : { supervisor: { HERMES_STOP_TIMEOUT: stopTimeout } }),
  })
  const known = variables.map((variable) => ({ ...variable, value: mask(variable.name, variable.value) }))
  // Not fetched: what is shown needs no value.
  const secrets = Object.entries(config.secrets).map(([secret, source]) => ({
    name: secret,
    value: '****',
    source: `config.yaml secrets: ${sourceText(source)}`,
  }))
  const shown = [...known, ...secrets].sort((a, b) => (a.name < b.name ? -1 : 1))
  const allWarnings = [...dotEnv.warnings, ...warnings, ...problems.filter(isSecretsProblem).map(configProblemText)]
  return {
    text: [
      ...shown.map((variable) => `${variable.name}=${variable.value}  # ${oneLine(variable.source)}\n`),
      ...allWarnings.map((warning) => `warning: ${oneLine(warning)}\n`),
    ].join(''),
    json: { variables: shown, warnings: allWarnings },
  }
}

const SECRET = /KEY|TOKEN|SECRET|PASS|CREDENTIAL|AUTH|COOKIE|PRIVATE/i

/** Masks values whose name marks them as secret, and passwords inside URLs. */
export function mask(name: string, value: string): string {
  if (value === '') return ''
  if (SECRET.test(name)) return '****'
  return value.replace(/(\w+:\/\/[^\s/:@]*):[^\s/@]+@/g, '$1:****@')
}
