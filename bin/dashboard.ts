// `hermes dashboard`. A program of its own: it lives for days and needs no command parser.
import { type DashboardFacts, runDashboard } from '../src/dashboard/program.ts'

declare const HERMES_VERSION: string

export const dashboardProgram = (facts: Omit<DashboardFacts, 'version'>): Promise<number> =>
  runDashboard({ ...facts, version: HERMES_VERSION })
