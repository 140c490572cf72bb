import { spawn } from 'node:child_process'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'

const MODULE = new URL('../../src/supervisor/init-link.ts', import.meta.url).href

/** @param act statements with `link`, the line to init @returns what init receives, by type and name */
async function received(act: string): Promise<readonly string[]> {
  const program = `
    const { InitLink } = await import(${JSON.stringify(MODULE)})
    const link = new InitLink(3, () => undefined)
    const keep = (name) => link.send({ type: 'keep', name, text: 'x' })
    const forget = (slot) => link.send({ type: 'forget', slot })
    link.listen({ receive: () => undefined, adopt: () => undefined, ended: () => process.exit(0) })
    ${act}`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    stdio: ['ignore', 'inherit', 'inherit', 'pipe'],
  })
  const lines = (await text(child.stdio[3] as Readable)).trim().split('\n')
  return lines.map((line) => {
    const { type, name, slot } = JSON.parse(line) as { type: string; name?: string; slot?: string }
    return [type, name ?? slot].filter(Boolean).join(' ')
  })
}

test('messages arrive in the order in which they were sent, whether or not they may wait', async () => {
  const act = "keep('a'); keep('b'); forget('a'); keep('c'); forget('b'); setImmediate(() => process.exit(0))"
  expect(await received(act)).toEqual(['hello', 'keep a', 'keep b', 'forget a', 'keep c', 'forget b'])
})

test('a state to keep arrives in the same turn when nothing follows it', async () => {
  expect(await received("keep('a'); queueMicrotask(() => process.exit(0))")).toEqual(['hello', 'keep a'])
})
