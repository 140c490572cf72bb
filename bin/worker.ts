// `hermes kanban work`: the built-in agent as a worker of the board.
import { runWorker } from '../src/gateway/worker.ts'

export const workerProgram = (facts: Parameters<typeof runWorker>[0]): Promise<number> => runWorker(facts)
