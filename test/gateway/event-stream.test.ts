import { expect, test } from 'vitest'
import { eventStream, frame } from '../../src/gateway/api/http/event-stream.ts'
import { fakeClock } from '../support/supervisor/fake-clock.ts'
import { waitFor } from '../support/wait.ts'

const text = (bytes: Uint8Array | undefined): string => new TextDecoder().decode(bytes)

/** Frames that come when the test says so. */
function source() {
  const waiting: ((result: IteratorResult<Uint8Array, void>) => void)[] = []
  let asked = 0
  const frames: AsyncGenerator<Uint8Array, void, undefined> = {
    next: () => {
      asked += 1
      return new Promise((resolve) => waiting.push(resolve))
    },
    return: async () => ({ done: true, value: undefined }),
    throw: async (error) => Promise.reject(error),
    [Symbol.asyncIterator]: () => frames,
    [Symbol.asyncDispose]: async () => undefined,
  }
  return {
    frames,
    asked: () => asked,
    give: (data: unknown) => waiting.shift()?.({ done: false, value: frame(data) }),
    end: () => waiting.shift()?.({ done: true, value: undefined }),
  }
}

test('nothing is asked of the answer before its reader asks', async () => {
  const { frames, asked, give, end } = source()
  const reader = eventStream(frames, fakeClock(), () => undefined).getReader()
  await Promise.resolve()
  expect(asked()).toBe(0)
  const first = reader.read()
  await waitFor('the question', () => asked() === 1)
  give({ n: 1 })
  expect(text((await first).value)).toBe('data: {"n":1}\n\n')
  expect(asked()).toBe(1)
  const last = reader.read()
  await waitFor('the second question', () => asked() === 2)
  end()
  expect((await last).done).toBe(true)
})

test('an agent that thinks sends a comment every 15 s, and loses no frame by it', async () => {
  const clock = fakeClock()
  const { frames, asked, give } = source()
  const reader = eventStream(frames, clock, () => undefined).getReader()
  for (let n = 0; n < 3; n++) {
    const beat = reader.read()
    await waitFor('an alarm', () => clock.alarms().length > 0)
    clock.advance(15_000)
    expect(text((await beat).value)).toBe(': still working\n\n')
  }
  const next = reader.read()
  give('here')
  expect(text((await next).value)).toBe('data: "here"\n\n')
  expect(asked()).toBe(1)
})

test('a reader that takes nothing for a minute is given up; one that goes on reading is not', async () => {
  const clock = fakeClock()
  const { frames, give } = source()
  let givenUp = 0
  const reader = eventStream(frames, clock, () => {
    givenUp += 1
  }).getReader()
  for (let n = 0; n < 3; n++) {
    const read = reader.read()
    await waitFor('a question', () => give(n) === undefined && clock.alarms().length > 0)
    await read
    clock.advance(59_000)
  }
  expect(givenUp).toBe(0)
  clock.advance(1_000)
  expect(givenUp).toBe(1)
})

test('a reader that goes away gives the answer up at once', async () => {
  const { frames } = source()
  let givenUp = false
  await eventStream(frames, fakeClock(), () => {
    givenUp = true
  }).cancel()
  expect(givenUp).toBe(true)
})
