import { join } from 'node:path'
import { type Agent, notConfigured } from '../../gateway/agent/agent.ts'
import { configureAgent } from '../../gateway/agent/configure.ts'
import { configProblemText, loadConfig } from '../../profile/config/config.ts'
import { ownEnvironment } from '../../profile/environment/own-environment.ts'
import { warningLine } from '../../system/text/foreign-text.ts'
import type { Context } from './context.ts'

export interface ProfileAgent {
  readonly profile: string
  readonly dir: string
  readonly agent: Agent
}

/**
 * The agent of the profile this command is about, with the environment its gateway would have.
 * @throws AgentError not-configured, misconfigured; HermesError when a secret cannot be fetched
 */
export async function profileAgent(context: Context): Promise<ProfileAgent> {
  const { name: profile, dir } = context.profile()
  const { home, install, paths, env, clock, output } = context
  const file = join(dir, 'config.yaml')
  const { config, problems } = loadConfig(file)
  for (const problem of problems.filter(({ key }) => key === '' || key.startsWith('agent'))) {
    output.err(warningLine(configProblemText(problem)))
  }
  const { environment, warnings } = await ownEnvironment({
    profile,
    dir,
    home,
    install,
    runDir: paths.runDir,
    environmentDir: paths.environmentDir,
    scanDir: paths.scanDir,
    env,
    clock,
  })
  for (const warning of warnings) output.err(warningLine(warning))
  const agent = configureAgent({ config: config.agent, profileDir: dir, environment, clock })
  if (agent === null) throw notConfigured(profile, file)
  return { profile, dir, agent }
}
