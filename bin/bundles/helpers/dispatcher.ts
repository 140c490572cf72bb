// `hermes kanban dispatcher`. A program of its own: it lives for days and needs no command parser.
import { type DispatcherBundle, runDispatcher } from '../../../src/kanban/dispatch/dispatcher-program.ts'

declare const HERMES_VERSION: string

export const dispatcherProgram: DispatcherBundle['dispatcherProgram'] = (facts) =>
  runDispatcher({ ...facts, version: HERMES_VERSION })
