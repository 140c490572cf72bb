// A tick's cost grows with the number of ready tasks, not of done ones. SQLite's query plans show it, not times.
import { expect, test } from 'vitest'
import { LIST_OF_SQL, LIST_SQL } from '../../src/kanban/sqlite/queries.ts'
import { dueSql, promotableSql, readReady, readyPageSql, runningSql } from '../../src/kanban/sqlite/tick-facts.ts'
import { fillBoard } from '../bench/kanban.ts'
import { testBoard } from '../support/kanban/board.ts'

test.each([
  ['ready tasks', readyPageSql, 4, /SEARCH t USING INDEX tasks_ready/],
  ['promotable tasks', promotableSql, 0, /USING INDEX tasks_promotable/],
  ['due tasks', dueSql, 1, /SEARCH t USING INDEX tasks_scheduled/],
  ['running tasks', runningSql, 0, /USING INDEX tasks_running/],
  ['a list', LIST_SQL, 2, /SEARCH tasks USING INDEX tasks_status \(status=\?\)/],
  ["a profile's list", LIST_OF_SQL, 3, /SEARCH tasks USING INDEX tasks_assignee \(assignee=\? AND status=\?\)/],
])('%s are found by an index of their own, already in order', (_, sql, values, plan) => {
  using board = testBoard()
  const steps = board.tables.all<{ detail: string }>(
    `EXPLAIN QUERY PLAN ${typeof sql === 'string' ? sql : sql(board.tables)}`,
    ...Array.from({ length: values }, () => 1),
  )
  const text = steps.map(({ detail }) => detail).join('\n')
  expect(text).toMatch(plan)
  expect(text).not.toMatch(/TEMP B-TREE/)
})

test('the partial indexes hold what waits and runs, and nothing of what is done', async () => {
  using board = testBoard(['coder'])
  fillBoard(board.tables, 5000)
  const counted = (index: string, where: string): number =>
    board.tables.get<{ n: number }>(`SELECT count(*) AS n FROM tasks INDEXED BY ${index} WHERE ${where}`)?.n ?? -1
  expect(counted('tasks_ready', "status = 'ready'")).toBe(100)
  expect(counted('tasks_running', "status = 'running'")).toBe(8)
  expect((await board.plan()).report.spawned).toHaveLength(100)
})

test('a full board reads none of what is ready', async () => {
  using board = testBoard(['coder'])
  board.configure({ max_in_progress: 8 })
  fillBoard(board.tables, 500)
  const { decision } = await board.plan()
  expect(decision.boardFull).toEqual({ busy: 8, limit: 8 })
  expect(decision.reasons.size).toBe(0)
})

test('ready tasks come in the same order whatever the size of a page', () => {
  using board = testBoard(['coder'])
  fillBoard(board.tables, 500)
  const inPages = (size: number): string[] => {
    const ids: string[] = []
    for (let page = readReady(board.tables, null, size); ; ) {
      ids.push(...page.map(({ id }) => id))
      if (page.length < size) return ids
      page = readReady(board.tables, page.at(-1) ?? null, size)
    }
  }
  const whole = inPages(1000)
  expect(whole).toHaveLength(100)
  for (const size of [1, 7, 100]) expect(inPages(size)).toEqual(whole)
})
