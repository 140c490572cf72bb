// Vitest's setup file, in each of its workers.
import { endWithStarter } from './run-end.ts'

endWithStarter('worker')
