// npm run test:container: an engine, the base image, the image of these sources, and the tests that need them.
//   --prepare   only makes them, and leaves the engine running      --release   ends an engine that --prepare started
import { startEngine, stopEngine } from '../test/support/container/engine.ts'
import { addedMegabytes, buildImage } from '../test/support/container/image.ts'
import { CONTAINER_PROJECTS, runVitest } from './testing/vitest-run.ts'

const say = (line: string): void => void process.stdout.write(`${line}\n`)
const args = process.argv.slice(2)

if (args.includes('--release')) await stopEngine()
else {
  const startedHere = await startEngine()
  if (startedHere) say('started a Docker engine of our own')
  try {
    const image = await buildImage(say)
    say(`image ${image}: ${(await addedMegabytes(image)).toFixed(1)} MB on top of its base`)
    if (!args.includes('--prepare')) {
      const { ok, summary } = await runVitest(CONTAINER_PROJECTS, args, { HERMES_TEST_IMAGE: image })
      say(summary)
      process.exitCode = ok ? 0 : 1
    }
  } finally {
    if (startedHere && !args.includes('--prepare')) await stopEngine()
  }
}
