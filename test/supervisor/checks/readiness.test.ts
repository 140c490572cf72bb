import { describe, expect, test } from 'vitest'
import { watchReadiness } from '../../../src/supervisor/checks/readiness.ts'
import { fakeClock } from '../../support/supervisor/fake-clock.ts'

function watchLog(pattern: string) {
  const seen = { ready: 0, warnings: [] as string[] }
  const watcher = watchReadiness(
    { by: 'log', pattern },
    fakeClock(),
    () => seen.ready++,
    (text) => seen.warnings.push(text),
  )
  return { seen, watcher, print: (text: string) => watcher?.lines(Buffer.from(text)) }
}

describe('readiness by a line of the log', () => {
  test('is the first line that matches, and only that', () => {
    const { seen, print } = watchLog('^listening on \\d+$')
    print('starting\nnot listening on 80\n')
    expect(seen).toEqual({ ready: 0, warnings: [] })
    print('x\nlistening on 80\ny\n')
    print('listening on 80\n')
    expect(seen).toEqual({ ready: 1, warnings: [] })
  })

  test('is not looked for once it is closed', () => {
    const { seen, watcher, print } = watchLog('x')
    watcher?.close()
    print('x\n')
    expect(seen.ready).toBe(0)
  })

  test('has one warning and no watcher for an invalid expression', () => {
    const { seen, watcher } = watchLog('(')
    expect(watcher).toBeUndefined()
    expect(seen.warnings).toEqual([expect.stringContaining('ready.log: Invalid regular expression')])
  })

  // Without a limit this match takes longer than the age of the universe.
  test('is given up with one warning where the expression backtracks without end', () => {
    const { seen, print } = watchLog('^(a+)+$')
    print(`${'a'.repeat(60)}!\n`)
    print(`${'a'.repeat(60)}!\n`)
    print('aa\n')
    expect(seen).toEqual({
      ready: 0,
      warnings: [
        'ready.log: the expression takes too long on what was printed; no line of this start counts as ready any more',
      ],
    })
  })

  test('is looked for in the first thousand characters of a line', () => {
    const { seen, print } = watchLog('ready')
    print(`${'x'.repeat(1000)}ready\n`)
    expect(seen.ready).toBe(0)
    print(`${'x'.repeat(995)}ready, and more\n`)
    expect(seen.ready).toBe(1)
  })
})
