import { randomInt } from 'node:crypto'
import { expect, test } from 'vitest'
import { violationLine } from '../../storm/evidence.ts'
import { runStorm } from '../../storm/storm.ts'
import { whyNoPostgres } from '../../support/kanban/postgres.ts'
import { size } from '../../support/size.ts'

const seed = randomInt(1_000_000)
const durationMs = size(90_000, 600_000)

test.skipIf(whyNoPostgres() !== undefined)(
  'three nodes with one board do each task once, whatever is killed, paused, cut off or delayed every two seconds',
  { timeout: 0 },
  async () => {
    const lines: string[] = []
    const say = (line: string): void => void lines.push(line)
    const { violations, figures, evidence } = await runStorm({
      seed,
      durationMs,
      tasks: size(120, 3000),
      nodes: 3,
      say,
    })
    expect(violations.map(violationLine), `seed ${seed}; ${evidence}\n${[...lines, ...figures].join('\n')}`).toEqual([])
  },
)
