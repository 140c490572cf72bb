import { type ProcessFacts, readProcess } from '../../system/programs/proc.ts'

/** Names the session whose terminal is the command's own. Only root's environment is read, so only root can set it. */
export const OWN_SESSION = 'HERMES_OWN_SESSION'

/**
 * Tells whether this command must run on a terminal of its own (own-terminal.ts), and takes the name of its session out
 * of the environment.
 */
export function wantsOwnTerminal(env: NodeJS.ProcessEnv): boolean {
  const facts = readProcess(process.pid)
  const ownSession = env[OWN_SESSION]
  delete env[OWN_SESSION]
  return facts !== undefined && sharesTerminal(facts, process.pid, ownSession)
}

/**
 * Whether a root process that is about to drop root has a terminal that is not its own alone.
 * @param facts its own; a session's leader (`docker exec -it … hermes`) does not share its terminal with root's
 * processes
 */
export const sharesTerminal = (
  facts: Pick<ProcessFacts, 'terminal' | 'session'>,
  pid: number,
  ownSession: string | undefined,
): boolean => facts.terminal !== 0 && facts.session !== pid && String(facts.session) !== ownSession
