// init itself; init.cjs loads it while the supervisor's Node starts.
export { runInit } from '../../src/init/run.ts'
