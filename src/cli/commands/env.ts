import { join } from 'node:path'
import { loadConfig } from '../../profile/config.ts'
import { readContainerEnvironment, readDotEnv, slotEnvironment } from '../../profile/environment.ts'
import { ownName } from '../../profile/own-environment.ts'
import { EXIT } from '../../system/errors.ts'
import { oneLine } from '../../system/foreign-text.ts'
import { IMAGE_RUN_DIR } from '../../system/install.ts'
import { gatewaySlot } from '../../system/paths.ts'
import type { Command } from '../command.ts'
import type { Context } from '../context.ts'
import type { Outcome } from '../output.ts'

export const ENV_COMMANDS: readonly Command[] = [
  {
    path: 'env',
    summary: "the environment of the profile's gateway, with the source of each value; secrets are masked",
    exits: { [EXIT.noSuch]: 'no such profile' },
    run: showEnvironment,
  },
]

function showEnvironment(context: Context): Outcome {
  const { name, dir } = context.profile()
  const dotEnv = readDotEnv(join(dir, '.env'))
  const { config } = loadConfig(join(dir, 'config.yaml'))
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
    ...(stopTimeout === undefined ? {} : { supervisor: { HERMES_STOP_TIMEOUT: stopTimeout } }),
  })
  const shown = variables.map((variable) => ({ ...variable, value: mask(variable.name, variable.value) }))
  const allWarnings = [...dotEnv.warnings, ...warnings]
  return {
    text: [
      ...shown.map((variable) => `${variable.name}=${variable.value}  # ${variable.source}\n`),
      ...allWarnings.map((warning) => `warning: ${oneLine(warning)}\n`),
    ].join(''),
    json: { variables: shown, warnings: allWarnings },
  }
}

const SECRET = /KEY|TOKEN|SECRET|PASS|CREDENTIAL|AUTH|COOKIE|PRIVATE/i

/** Hides what a name says is secret, and a password inside a URL. */
export function mask(name: string, value: string): string {
  if (value === '') return ''
  if (SECRET.test(name)) return '****'
  return value.replace(/(\w+:\/\/[^\s/:@]*):[^\s/@]+@/g, '$1:****@')
}
