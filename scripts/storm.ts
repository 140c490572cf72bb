// npm run storm: three nodes, one board, and a fault every two seconds.   [--minutes N] [--seed N] [--tasks N]
// [--nodes N] [--keep]
import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { violationLine } from '../test/storm/evidence.ts'
import { runStorm } from '../test/storm/storm.ts'
import { startEngine, stopEngine } from '../test/support/container/engine.ts'
import { buildImage } from '../test/support/container/image.ts'
import { whyNoPostgres } from '../test/support/kanban/postgres.ts'

const MINUTES = 10
const TASKS_PER_MINUTE = 300

const say = (line: string): void => void process.stdout.write(`storm: ${line}\n`)
const options = readOptions()
const why = process.getuid?.() === 0 ? whyNoPostgres() : 'the storm changes the network of containers, as root'
if (options === undefined) process.exitCode = 2
else if (why !== undefined) {
  say(why)
  process.exitCode = 1
} else await storm(options)

async function storm({ seed, minutes, tasks, nodes, keep }: NonNullable<typeof options>): Promise<void> {
  const startedHere = await startEngine()
  try {
    process.env.HERMES_TEST_IMAGE = await buildImage(say)
    say(`seed ${seed}: ${minutes} min, ${tasks} tasks, ${nodes} nodes`)
    const result = await runStorm({ seed, durationMs: minutes * 60_000, tasks, nodes, keep, say })
    for (const line of result.figures) say(line)
    for (const violation of result.violations.slice(0, 20)) say(violationLine(violation))
    if (result.evidence !== undefined) say(`everything about it is kept in ${result.evidence}`)
    if (result.violations.length === 0) return say('all of it holds')
    say(`${result.violations.length} violations`)
    say(`the same again: npm run storm -- --seed ${seed} --minutes ${minutes} --tasks ${tasks} --nodes ${nodes}`)
    process.exitCode = 1
  } catch (error) {
    const { message, cause } = error as Error
    say(cause instanceof Error ? `${message}: ${cause.message}` : message)
    process.exitCode = 1
  } finally {
    if (startedHere) await stopEngine()
  }
}

/** undefined: they are wrong, and why has been printed */
function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        minutes: { type: 'string', default: String(MINUTES) },
        seed: { type: 'string', default: String(randomInt(1_000_000)) },
        tasks: { type: 'string' },
        nodes: { type: 'string', default: '3' },
        keep: { type: 'boolean', default: false },
      },
    })
    const minutes = number('minutes', values.minutes, 0.1, 1000)
    return {
      minutes,
      seed: number('seed', values.seed, 0, 2 ** 31),
      tasks: number('tasks', values.tasks ?? String(Math.round(minutes * TASKS_PER_MINUTE)), 1, 1_000_000),
      nodes: number('nodes', values.nodes, 1, 6),
      keep: values.keep,
    }
  } catch (error) {
    process.stderr.write(`storm: ${(error as Error).message}\n`)
    return undefined
  }
}

function number(name: string, text: string, from: number, to: number): number {
  const value = Number(text)
  if (text.trim() !== '' && value >= from && value <= to) return value
  throw new TypeError(`--${name} is a number from ${from} to ${to}, not "${text}"`)
}
