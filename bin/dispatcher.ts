// `hermes kanban dispatcher`. A program of its own: it lives for days and needs no command parser.
import { runDispatcher } from '../src/kanban/io/dispatcher-program.ts'

export const dispatcherProgram = (facts: Parameters<typeof runDispatcher>[0]): Promise<number> => runDispatcher(facts)
