import { expect, test } from 'vitest'
import { newSlot, type Slot } from '../../src/slot/slot.ts'
import { step } from '../../src/slot/step.ts'
import { letterActions } from '../../src/supervisor/s6-letters.ts'
import { policy } from '../slot/policies.ts'

const down: Slot = newSlot(policy(), 0)
const runs: Slot = step(down, { type: 'want', wanted: 'up' }, 0)[0]
const want = (wanted: string) => [{ type: 'event', event: { type: 'want', wanted } }]

test('u d o O change what is wanted for this boot; U D Q are words that last', () => {
  expect(letterActions('u', down)).toEqual(want('up'))
  expect(letterActions('d', runs)).toEqual(want('down'))
  expect(letterActions('o', down)).toEqual(want('once'))
  expect(letterActions('O', runs)).toEqual(want('once'))
  expect(letterActions('O', down)).toEqual(want('down'))
  expect(letterActions('U', down)).toEqual([{ type: 'word', word: 'running' }, ...want('up')])
  expect(letterActions('D', runs)).toEqual([{ type: 'word', word: 'stopped' }, ...want('down')])
  expect(letterActions('Q', runs)).toEqual([{ type: 'word', word: 'stopped' }, ...want('once')])
})

test('signals go to the process, those in capitals to its group', () => {
  expect(letterActions('h', runs)).toEqual([{ type: 'signal', signal: 'HUP', target: 'process' }])
  expect(letterActions('1', runs)).toEqual([{ type: 'signal', signal: 'USR1', target: 'process' }])
  expect(letterActions('K', runs)).toEqual([{ type: 'signal', signal: 'KILL', target: 'group' }])
})

test('r restarts what is wanted up, and only signals what is to end anyway', () => {
  expect(letterActions('r', runs)).toEqual([{ type: 'event', event: { type: 'restart' } }])
  expect(letterActions('r', { ...runs, wanted: 'once' })).toEqual([
    { type: 'signal', signal: 'TERM', target: 'process' },
  ])
})

test('a letter that means nothing does nothing', () => {
  for (const letter of ['x', 'z', '\0', '9']) expect(letterActions(letter, runs)).toEqual([])
})
