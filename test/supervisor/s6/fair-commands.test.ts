import { expect, test } from 'vitest'
import { FairCommands } from '../../../src/supervisor/s6/fair-commands.ts'
import { systemClock } from '../../../src/system/clock.ts'
import { waitFor } from '../../support/wait.ts'

const busy = (ms: number): void => {
  const untilMs = performance.now() + ms
  while (performance.now() < untilMs);
}

test('a flood to one slot does not keep another waiting', async () => {
  const obeyed: string[] = []
  const commands = new FairCommands(systemClock(), (slot, command) => {
    obeyed.push(slot + command)
    busy(0.2)
  })
  let done = 0
  commands.add('a', Buffer.alloc(1000, 'u'), () => done++)
  let whenDone: readonly string[] = []
  commands.add('b', Buffer.from('dt'), () => {
    done++
    whenDone = [...obeyed]
  })
  await waitFor('all of b', () => whenDone.length > 0)
  expect(whenDone.filter((one) => one.startsWith('b'))).toEqual(['bd', 'bt'])
  expect(whenDone.length).toBeLessThan(10)
  await waitFor('all of a', () => done === 2)
  expect(obeyed.filter((one) => one === 'au').length).toBe(1000)
})

test('a flood leaves the loop to others between moments', async () => {
  let count = 0
  const commands = new FairCommands(systemClock(), () => {
    count += 1
    busy(0.5)
  })
  commands.add('a', Buffer.alloc(200, 'u'), () => undefined)
  const gaps: number[] = []
  while (count < 200) {
    const before = count
    await new Promise((resolve) => setImmediate(resolve))
    gaps.push(count - before)
  }
  // 2 ms of commands that take 0.5 ms: some five, whatever else the machine does.
  expect(Math.max(...gaps)).toBeLessThan(20)
})

test('commands are obeyed in their order, and those of a removed slot are dropped', async () => {
  const obeyed: string[] = []
  const commands = new FairCommands(systemClock(), (slot, command) => {
    obeyed.push(command)
    if (command === 'x') commands.forget(slot)
  })
  commands.add('a', Buffer.from('abxcd'), () => obeyed.push('done'))
  await waitFor('the end', () => obeyed.includes('x'))
  await new Promise((resolve) => setImmediate(resolve))
  expect(obeyed).toEqual(['a', 'b', 'x'])
})
