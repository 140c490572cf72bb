// `hermes dashboard`. A program of its own: it lives for days and needs no command parser.
import { setFlagsFromString } from 'node:v8'
import { type DashboardBundle, runDashboard } from '../../src/dashboard/program.ts'
import { prepareEnvironment } from '../../src/dashboard/settings/own-environment.ts'
import { isImageInstall } from '../../src/system/programs/install.ts'

declare const HERMES_VERSION: string

export const dashboardProgram: DashboardBundle['dashboardProgram'] = (facts) => {
  // Data for viewers is garbage a moment later; by itself V8 lets 150 MB of it pile up. Here and not on a command
  // line, because the slot and bin/hermes have one each. V8 reads this flag at every collection, so it may come late
  // (not every flag may).
  setFlagsFromString('--optimize-for-size')
  if (facts.handed !== undefined) prepareEnvironment(facts.env, facts.home, isImageInstall(facts.install), facts.err)
  return runDashboard({ ...facts, version: HERMES_VERSION })
}
