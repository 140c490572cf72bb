// npm run figures: what the image costs and how quick it is, on the engine that answers and the image of these sources.

import { rmSync } from 'node:fs'
import { median } from '../test/bench/statistics.ts'
import { type Box, freshHome, lives, startContainer } from '../test/support/container/container.ts'
import { docker } from '../test/support/container/engine.ts'
import { addedMegabytes, testImage } from '../test/support/container/image.ts'
import { runSync } from './run.ts'

const ROUNDS = 5
const image = await testImage()
process.env.HERMES_TEST_IMAGE = image // decided once, even if the sources change during the run
const whole = Number(await docker(['image', 'inspect', '--format', '{{.Size}}', image])) / 1e6
const boots: number[] = []
const versions: number[] = []
const stops: number[] = []

for (let round = 0; round < ROUNDS; round++) {
  await using box = await startContainer({
    command: ['gateway', 'run'],
    files: { 'config.yaml': lives('here I am'), desired_state: 'running\n' },
  })
  await box.saw('here I am')
  boots.push(await firstLineMs(box))
  const startedAtMs = performance.now()
  await box.ok('hermes', 'version')
  versions.push(performance.now() - startedAtMs)
  stops.push((await box.stop()).ms)
}

const say = (what: string, value: string): void => void process.stdout.write(`${what.padEnd(48)}${value}\n`)
say('image size', `${whole.toFixed(1)} MB, ${(await addedMegabytes(image)).toFixed(1)} MB on top of its base`)
say('boot: container started → default gateway runs', `${median(boots).toFixed(0)} ms`)
say('docker exec hermes hermes version', `${median(versions).toFixed(0)} ms`)
say('docker stop', `${median(stops).toFixed(0)} ms`)

const home = freshHome()
try {
  const files =
    'mkdir "$0/sessions" && cd "$0/sessions" && ' +
    'for d in $(seq 100); do mkdir "$d"; (cd "$d" && seq 1000 | xargs touch); done'
  runSync('sh', ['-c', files, home])
  say('ownership repair of 100,000 files, whole life', `${await lifeMs(home)} ms`)
  say('the same volume again, whole life', `${await lifeMs(home)} ms`)
} finally {
  rmSync(home, { recursive: true, force: true })
}

/** A container that only boots and ends. */
async function lifeMs(volume: string): Promise<number> {
  await using box = await startContainer({ home: volume, command: ['true'] })
  await box.exit({ deadlineMs: 60_000 })
  const [started = '', ended = ''] = (await box.inspect('{{.State.StartedAt}} {{.State.FinishedAt}}')).split(' ')
  return Date.parse(ended) - Date.parse(started)
}

/** By the engine's own clock: from the container's start to the gateway's first line. */
async function firstLineMs(box: Box): Promise<number> {
  const startedAt = await box.inspect('{{.State.StartedAt}}')
  const line = (await docker(['logs', '--timestamps', box.id])).split('\n').find((one) => one.endsWith('here I am'))
  return Date.parse(line?.split(' ')[0] ?? '') - Date.parse(startedAt)
}
