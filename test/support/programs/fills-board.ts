// Imports a board from its standard input, and dies by KILL behind the line DIES_AT:
// node fills-board.ts sqlite HOME | node fills-board.ts postgres URL SLUG
import { writeSync } from 'node:fs'
import type { Board } from '../../../src/kanban/port/board.ts'
import { openPostgres } from '../../../src/kanban/postgres/database-boards.ts'
import { openBoard } from '../../../src/kanban/store/board.ts'
import { boardPlace } from '../../../src/kanban/store/places.ts'
import { readExport } from '../../../src/kanban/transfer/import.ts'

const [kind, where = '', slug = ''] = process.argv.slice(2)

function open(): Promise<Board> {
  const options = { mode: 'write', warn: () => undefined } as const
  return kind === 'sqlite'
    ? openBoard(boardPlace(where, 'default'), options)
    : openPostgres({ slug, file: '' }, where, options)
}

/** By its own hand: from outside, the signal could come when all is done. */
function say(line: string): void {
  writeSync(1, `${line}\n`)
  if (process.env.DIES_AT === line) process.kill(process.pid, 'SIGKILL')
}

const board = await open()
let rows = 0
const reader = await readExport(process.stdin, 'standard input')
await board.fill((intake) =>
  reader.into(intake, () => {
    rows += 1
    if (rows % 100 === 0) say(`${rows}`)
  }),
)
say('done')
await board.close()
