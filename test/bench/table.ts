import type { Cell, Row } from './row.ts'

const OURS = 'hermes'

/** The rows as text: medians, for peers also how many times ours they take, and whether ours keeps its budget. */
export function table(rows: readonly Row[], subjects: readonly string[]): string {
  const head = ['', 'unit', 'budget', ...subjects]
  const body = rows.map((row) => [
    row.title,
    row.unit,
    row.budget === null ? '' : `${row.more ? '≥' : '≤'} ${row.budget}`,
    ...subjects.map((name) => text(row, name)),
  ])
  const widths = head.map((_, column) => Math.max(...[head, ...body].map((line) => (line[column] ?? '').length)))
  const print = (line: readonly string[]): string =>
    line
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd()
  return [print(head), widths.map((width) => '-'.repeat(width)).join('  '), ...body.map(print)].join('\n')
}

function text(row: Row, name: string): string {
  const ours = row.cells[OURS]
  const own = row.cells[name]
  if (own === undefined || 'missing' in own) return '–'
  const value = number(own.median)
  if (name !== OURS)
    return ours === undefined || 'missing' in ours || ours.median === 0
      ? value
      : `${value} (${ratio(own.median / ours.median)})`
  return keepsBudget(row, own) ? value : `${value} MISSED`
}

/** Ours against the row's budget; true where there is none. */
function keepsBudget(row: Row, ours: Cell | undefined): boolean {
  if (row.budget === null || ours === undefined || 'missing' in ours) return true
  return row.more ? ours.median >= row.budget : ours.median <= row.budget
}

const number = (value: number): string =>
  value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2)
const ratio = (value: number): string => `×${value >= 10 ? value.toFixed(0) : value.toFixed(1)}`
