import { readFileSync } from 'node:fs'
import { systemClock } from '../system/clock.ts'
import { hasCode } from '../system/error-code.ts'
import { EXIT, HermesError } from '../system/errors.ts'
import { isShown } from '../system/level.ts'
import type { Native } from '../system/native/native.ts'
import { NODE_COMES_ALONG, OLDEST_NODE } from '../system/programs/own-node.ts'
import type { Early } from './early.ts'
import { killingAs } from './facts/as-runtime-user.ts'
import { endCopy, givenEnvironment } from './facts/environment.ts'
import { gatherFacts, type InitFacts, type InitOptions } from './facts/facts.ts'
import { canGiveFiles } from './facts/identity.ts'
import { withoutNpm } from './facts/user-environment.ts'
import { Init } from './init.ts'
import { OwnConsole } from './processes/own-console.ts'
import { withoutManager } from './processes/service-manager.ts'
import { withoutForwarders } from './programs/main-command.ts'

const OUT_OF_DESCRIPTORS =
  'init cannot start: it may not open enough files (RLIMIT_NOFILE). Start the container with --ulimit nofile=1024:1024 or more'

/** Recognizes the cause under the errors of any operation. */
const isOutOfDescriptors = (error: unknown): boolean =>
  error instanceof Error && (hasCode(error, 'EMFILE', 'ENFILE') || isOutOfDescriptors(error.cause))

/**
 * Starts init; resolves when the boot is done. Ends the process itself.
 * @param install the directory that holds `lib`
 * @param given arguments of the wrapper
 */
export async function runInit(
  { native, problem, inherited, supervisor }: Early,
  install: string,
  given: readonly string[],
): Promise<void> {
  const options = readOptions(install, given)
  const clock = systemClock()
  const { stderr } = inherited
  const { LOG_FORMAT, S6_VERBOSITY } = options.env
  const own = new OwnConsole({
    sink: stderr,
    native,
    clock,
    json: LOG_FORMAT === 'json' || LOG_FORMAT === 'json-all',
    isShown: isShown(S6_VERBOSITY),
  })
  const fail = (error: unknown): never => {
    if (isOutOfDescriptors(error)) own.line('error', OUT_OF_DESCRIPTORS)
    else if (error instanceof HermesError)
      own.line('error', error.next === undefined ? error.message : `${error.message}. ${error.next}`)
    else own.line('error', `init cannot start: ${error instanceof Error ? error.stack : String(error)}`)
    own.finish()
    return native.exitNow(error instanceof HermesError ? error.exitCode : EXIT.failed)
  }
  try {
    const { node } = process.versions
    if (Number.parseInt(node, 10) < OLDEST_NODE) {
      throw new HermesError('FAILED', `hermes needs Node ${OLDEST_NODE} or newer, this is ${node}`, {
        next: NODE_COMES_ALONG,
      })
    }
    if (problem !== undefined) own.line('error', problem)
    const facts = settle(gatherFacts(options), options, native)
    const runtimeUser = facts.dropped ? facts.identity : undefined
    const init = new Init({ options, facts, native: killingAs(runtimeUser, native), clock, own, inherited, supervisor })
    await init.boot()
  } catch (error) {
    fail(error)
  }
}

function readOptions(install: string, given: readonly string[]): InitOptions {
  const [first, ...argv] = given
  if (first === '--foreground') {
    const { socket, env } = withoutManager(withoutNpm(process.env))
    return { install, foreground: true, argv, env, managerSocket: socket }
  }
  const env = givenEnvironment(process.env)
  // The wrapper's fork has passed on the environment; it may have ended already.
  if (process.env.HERMES_ENVIRON_OF) endCopy(Number(process.env.HERMES_ENVIRON_OF))
  // Left in the environment: podman's manager may wait for the main program.
  return { install, foreground: false, argv: withoutForwarders(given), env, managerSocket: env.NOTIFY_SOCKET }
}

/**
 * Without CAP_CHOWN root can give nothing to the runtime user: no run directory, no log, no socket. The container
 * then works like one started with --user.
 */
function settle(facts: InitFacts, options: InitOptions, native: Pick<Native, 'dropPrivileges'>): InitFacts {
  if (!facts.dropped || canGiveFiles(readFileSync('/proc/self/status', 'latin1'))) return facts
  const { uid, gid } = facts.identity
  native.dropPrivileges(facts.identity)
  const warning = `CAP_CHOWN is missing, so init itself runs as ${uid}:${gid}, as with --user: hooks are not root's, the ownership of ${facts.home} cannot be repaired, and gateways can change the state of what supervises them`
  return { ...gatherFacts(options), warnings: [...facts.warnings, warning] }
}
