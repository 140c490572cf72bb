/** `hermes front-port`: one port for the APIs of all profiles, in a helper slot. */
import { asHelper, type HelperFacts, helperLog, serveAsHelper } from '../../control/helper-program.ts'
import { FRONT_PORT } from '../../profile/names.ts'
import { EXIT, HermesError } from '../../system/errors.ts'
import { isImageInstall } from '../../system/programs/install.ts'
import { frontServer } from './server.ts'
import { frontSettings } from './settings.ts'

export interface FrontPortFacts extends HelperFacts {
  /** Directory that holds bin/ and lib/. */
  readonly install: string
}

/** Exports of this program's bundle; the command line loads it on demand. */
export interface FrontPortBundle {
  frontPortProgram(facts: FrontPortFacts): Promise<number>
}

/** Runs until TERM, INT, HUP or QUIT, then lets the answers that are on their way end. @returns the exit code */
export async function runFrontPort(facts: FrontPortFacts): Promise<number> {
  const { home, install, clock, env } = facts
  const log = helperLog(FRONT_PORT, facts)
  if (env.HERMES_SLOT !== FRONT_PORT)
    throw new HermesError('REFUSED', 'the front port runs in its slot, which is there with HERMES_FRONT_PORT', {
      next: 'set HERMES_FRONT_PORT in the environment of the container, and create it anew',
    })
  const address = frontSettings(env, isImageInstall(install))
  await asHelper(FRONT_PORT, facts, (life) =>
    serveAsHelper(
      frontServer({ home, failed: (error) => log('error', `a request went wrong: ${(error as Error).stack}`) }),
      {
        address,
        name: 'the front port',
        next: 'set HERMES_FRONT_PORT and HERMES_FRONT_HOST for the container, or stop the other program',
        clock,
        life,
        log,
      },
    ),
  )
  return EXIT.done
}
