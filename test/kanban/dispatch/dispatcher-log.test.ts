import { expect, test } from 'vitest'
import { DispatcherLog } from '../../../src/kanban/dispatch/dispatcher-log.ts'

test('the topic of a line, not its wording, decides when it is logged again', () => {
  const said: string[] = []
  const log = new DispatcherLog((_, text) => said.push(text))
  const twice = (): void => {
    log.warn('board "b": t_1 could not be started: board "a": is not readable', 'tick:b')
    log.warn('board "a": t_2 could not be started', 'tick:a')
  }
  twice()
  twice()
  expect(said).toHaveLength(2)
  log.forget('tick:a')
  twice()
  expect(said.slice(2)).toEqual(['kanban dispatcher: board "a": t_2 could not be started'])
})
