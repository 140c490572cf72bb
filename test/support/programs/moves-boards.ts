// Moves the boards of a volume into a database: node moves-boards.ts HOME URL SLUG …
import { writeSync } from 'node:fs'
import { boardsInDatabase, boardsInFiles } from '../../../src/kanban/store/boards.ts'
import { moveBoard } from '../../../src/kanban/transfer/migrate.ts'
import { systemClock } from '../../../src/system/clock.ts'

const [home = '', url = '', ...slugs] = process.argv.slice(2)
const [from, to] = [boardsInFiles(home), await boardsInDatabase(url)]
let rows = 0
const progress = (): void => {
  rows += 1
  if (rows % 100 === 0) writeSync(1, `${rows}\n`)
}
for (const slug of slugs) await moveBoard(slug, { from, to, clock: systemClock(), warn: () => undefined, progress })
writeSync(1, 'done\n')
await to.close()
