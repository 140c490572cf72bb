// Vitest's setup file, in each of its workers.
import { endWithStarter } from '../../scripts/testing/run-end.ts'

endWithStarter('worker')
