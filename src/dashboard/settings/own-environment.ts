import { join } from 'node:path'
import * as tls from 'node:tls'
import { readDotEnv } from '../../profile/environment/environment.ts'
import { isClosedVariable, isDatabaseVariable } from '../../system/dashboard-secrets.ts'
import { readRegularFile } from '../../system/files/small-file.ts'
import type { Environment } from '../../system/programs/install.ts'
import { warningLine } from '../../system/text/foreign-text.ts'

const MAX_CERTIFICATES_BYTES = 4_000_000

/**
 * Does what a Node start does with its environment, for a dashboard that got its environment later: from init, after
 * dropping root. In a checkout the default profile's `.env` counts too; in the image it does not, because every
 * gateway can write it. The address of the database never comes from there.
 * @param env our environment; missing variables are added
 */
export function prepareEnvironment(
  env: Environment,
  home: string,
  inImage: boolean,
  err: (text: string) => void,
): void {
  const warn = (text: string): void => err(warningLine(text))
  const file = join(home, '.env')
  const { variables } = readDotEnv(file)
  const ignored = Object.keys(variables).filter((name) => (inImage ? isClosedVariable : isDatabaseVariable)(name))
  if (ignored.length > 0)
    warn(`${file}: ${ignored.join(', ')} is refused, every gateway can write it; set it in the container's environment`)
  const rest = Object.entries(variables).filter(([name]) => !isDatabaseVariable(name))
  if (!inImage) Object.assign(env, { ...Object.fromEntries(rest), ...env })
  if (env.NODE_EXTRA_CA_CERTS) addCertificates(env.NODE_EXTRA_CA_CERTS, warn)
}

function addCertificates(file: string, warn: (text: string) => void): void {
  try {
    const text = readRegularFile(file, MAX_CERTIFICATES_BYTES)
    if (text === undefined) throw new Error('is not there')
    tls.setDefaultCACertificates([...tls.getCACertificates('default'), text])
  } catch (error) {
    warn(`NODE_EXTRA_CA_CERTS=${file} is not used: ${(error as Error).message}`)
  }
}
