// The command line's first program: drops root, answers the frequent commands, and loads the rest only for the others.
import { dirname } from 'node:path'
import { tokensAreRoots } from '../src/access/place.ts'
import { frequentCommand } from '../src/cli/commands/frequent.ts'
import { initHasBegun } from '../src/cli/context/booting.ts'
import { gatewayFacts, makeContext } from '../src/cli/context/context.ts'
import { dashboardFacts, dispatcherFacts, frontPortFacts, meterFacts } from '../src/cli/context/dispatcher-facts.ts'
import { becomeUser, findIdentity, findWalled, identitySources } from '../src/cli/terminal/drop.ts'
import { cannotDropText, printError, printOutcome, processOutput } from '../src/cli/terminal/output.ts'
import { wantsOwnTerminal } from '../src/cli/terminal/shared-terminal.ts'
import { HANDOVER_VARIABLE } from '../src/protocol/handover.ts'
import { truthy } from '../src/system/markers.ts'
import { canDropByNode, dropByNode } from '../src/system/native/drop-by-node.ts'
import {
  type CommandLine,
  dashboardRun,
  gatewayRun,
  isTokenCommand,
  splitCommandLine,
} from '../src/system/programs/command-line.ts'
import { resolveHome } from '../src/system/programs/install.ts'
import { giveBackSaved, NODE_COMES_ALONG, OLDEST_NODE } from '../src/system/programs/own-node.ts'
import type { Handed } from './bundles/handover.ts'

async function main(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const output = processOutput()
  if (Number(process.versions.node.split('.')[0]) < OLDEST_NODE) {
    output.err(
      `hermes: needs Node ${OLDEST_NODE} or newer, this is ${process.versions.node}\n` +
        `  next: ${NODE_COMES_ALONG}\n`,
    )
    return 1
  }
  const install = dirname(__dirname)
  const callerUid = process.getuid?.()
  let line: CommandLine
  try {
    line = splitCommandLine(argv)
  } catch (error) {
    return printError(error, argv.includes('--json'), output)
  }
  const { json } = line
  const frequent = frequentCommand(line.args)
  let handed: Handed | undefined
  if (env[HANDOVER_VARIABLE] !== undefined) {
    try {
      const { takeHandover } = require('#bundle/handover.cjs') as typeof import('./bundles/handover.ts')
      handed = await takeHandover(env)
    } catch (error) {
      output.err(`hermes: ${(error as Error).message}\n`)
      return 126
    }
  } else await initHasBegun({ env, install })
  let token: Readonly<Record<string, string>> = {}
  // Only root may change the tokens; without this, a command of root would have given the right away.
  const keepsRoot = isTokenCommand(line.args) && tokensAreRoots(install)
  if (handed === undefined && !keepsRoot && process.getuid?.() === 0 && !truthy(env.HERMES_DOCKER_EXEC_AS_ROOT)) {
    const more = () => require('#bundle/drop.cjs') as typeof import('./bundles/drop.ts')
    try {
      const identity = findIdentity(identitySources(install))
      if (identity !== undefined) {
        if (wantsOwnTerminal(env)) return await more().awayFromRootsTerminal(install, argv, env)
        const walled = findWalled(line, resolveHome(env, install))
        const isShort = frequent !== undefined && canDropByNode(env)
        if (!isShort) token = more().tokenOfRoot(line.args, env)
        Object.assign(
          env,
          walled !== undefined
            ? await more().dropToWalled(walled)
            : isShort
              ? becomeUser(identity, { dropPrivileges: dropByNode })
              : await more().dropRoot(identity),
        )
      }
    } catch (error) {
      output.err(cannotDropText((error as Error).message))
      return 126
    }
  }
  // Root is dropped, or is to be kept: what this command starts gets the caller's environment.
  giveBackSaved(env)
  try {
    // Not in the environment of this process, which programs that it starts would get.
    const own = { ...env, ...token }
    const context = makeContext({
      env: own,
      bundleDir: __dirname,
      profile: line.profile,
      profiles: line.profiles,
      json,
      output,
      callerUid,
      ...(keepsRoot && { dropRoot: () => laterDropRoot(install) }),
    })
    if (frequent) {
      const code = printOutcome(await frequent(context), json, output)
      // Everything is written by now; the natural end would take Node's heap apart first.
      process.exit(code)
    }
    const run = gatewayRun(line.args)
    if (run) {
      // It lives for days, so it does without the command parser's memory.
      const { gatewayProgram } = require('#bundle/gateway.cjs') as typeof import('./bundles/gateway.ts')
      return await gatewayProgram({ ...gatewayFacts(context), ...run })
    }
    const dashboard = dashboardRun(line.args)
    if (dashboard) {
      const { dashboardProgram } = require('#bundle/dashboard.cjs') as typeof import('./bundles/dashboard.ts')
      return await dashboardProgram({ ...dashboardFacts(context), options: dashboard, ...(handed && { handed }) })
    }
    if (line.args.join(' ') === 'kanban dispatcher') {
      const { dispatcherProgram } =
        require('#bundle/dispatcher.cjs') as typeof import('./bundles/helpers/dispatcher.ts')
      const database = handed?.secrets.HERMES_KANBAN_DATABASE
      return await dispatcherProgram({ ...dispatcherFacts(context), ...(database !== undefined && { database }) })
    }
    if (line.args.join(' ') === 'meter') {
      const { meterProgram } = require('#bundle/meter.cjs') as typeof import('./bundles/helpers/meter.ts')
      return await meterProgram(meterFacts(context))
    }
    if (line.args.join(' ') === 'front-port') {
      const { frontPortProgram } = require('#bundle/front-port.cjs') as typeof import('./bundles/helpers/front-port.ts')
      return await frontPortProgram(frontPortFacts(context))
    }
    if (line.args.join(' ') === 'notifier') {
      const { notifierProgram } = require('#bundle/notifier.cjs') as typeof import('./bundles/helpers/notifier.ts')
      return await notifierProgram(meterFacts(context))
    }
    if (line.args.join(' ') === 'forwarder') {
      const { forwarderProgram } = require('#bundle/forwarder.cjs') as typeof import('./bundles/helpers/forwarder.ts')
      return await forwarderProgram(meterFacts(context))
    }
    if (line.args[0] === 'kanban') {
      // Workers and scripts type it all day: half of the whole command line to load.
      const { kanbanLine } = require('#bundle/kanban.cjs') as typeof import('./bundles/kanban.ts')
      return await kanbanLine(context, line.args)
    }
    const { commandLine } = require('#bundle/cli.cjs') as typeof import('./bundles/cli.ts')
    return await commandLine(context, line.args)
  } catch (error) {
    return printError(error, json, output)
  }
}

/** For the end of a command that needs root: what it writes to the volume then belongs to the runtime user. */
async function laterDropRoot(install: string): Promise<void> {
  const identity = findIdentity(identitySources(install))
  const { dropRoot } = require('#bundle/drop.cjs') as typeof import('./bundles/drop.ts')
  if (identity !== undefined && process.getuid?.() === 0) await dropRoot(identity)
}

main(process.argv.slice(2), process.env).then((code) => {
  process.exitCode = code
})
