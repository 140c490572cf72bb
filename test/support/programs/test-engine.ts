// Starts or ends the engine of the tests, as `npm run test:container -- --prepare` and `--release` do.
import { startEngine, stopEngine } from '../container/engine.ts'

if (process.argv[2] === 'stop') await stopEngine()
else process.stdout.write((await startEngine()) ? 'started\n' : 'there was one\n')
