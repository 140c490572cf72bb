// `hermes kanban work`: the built-in agent as a worker of the board.
import { runWorker, type WorkerBundle } from '../../src/gateway/worker.ts'

export const workerProgram: WorkerBundle['workerProgram'] = runWorker
