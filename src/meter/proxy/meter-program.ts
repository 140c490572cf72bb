import { asHelper, type HelperFacts, helperLog, serveAsHelper } from '../../control/helper-program.ts'
import { METER, METER_HOST, meterPort } from '../../profile/environment/metered.ts'
import { EXIT, HermesError } from '../../system/errors.ts'
import { openLedger } from '../ledger/ledger.ts'
import { Counter } from './counter.ts'
import { Endpoints } from './endpoints.ts'
import { PriceFile, pricesFile } from './price-file.ts'
import { meterServer } from './server.ts'

export type MeterFacts = HelperFacts

/** Exports of this program's bundle; the command line loads it on demand. */
export interface MeterBundle {
  meterProgram(facts: MeterFacts): Promise<number>
}

/** Runs until TERM, INT, HUP or QUIT, then finishes what was forwarded. @returns the exit code */
export async function runMeter(facts: MeterFacts): Promise<number> {
  const { home, paths, clock, env } = facts
  const log = helperLog(METER, facts)
  const warn = (text: string): void => log('warn', text)
  if (env.HERMES_SLOT !== METER)
    throw new HermesError('REFUSED', 'the meter runs in its slot, which starts with the first profile that needs it', {
      next: 'set budget or agent.meter in the config.yaml of a profile, then restart its gateway',
    })
  const port = meterPort(env)
  const ledger = openLedger(home, warn)
  const endpoints = new Endpoints({ home, runDir: paths.runDir, environmentDir: paths.environmentDir, clock })
  try {
    await asHelper(METER, facts, async (life) => {
      const left = ledger.recover()
      if (left > 0) warn(`${left} request(s) were on their way when the meter was ended; what they used is not known`)
      const counter = new Counter({ ledger, clock, log, pricesFile: pricesFile(home) })
      const prices = new PriceFile(home, warn)
      await serveAsHelper(meterServer({ scanDir: paths.scanDir, endpoints, counter, prices, log }), {
        address: { host: METER_HOST, port },
        name: 'the meter',
        next: 'set HERMES_METER_PORT for the container, or stop the other program',
        clock,
        life,
        log,
        late: () => endpoints.close(),
      })
    })
    return EXIT.done
  } finally {
    endpoints.close()
    ledger.close()
  }
}
