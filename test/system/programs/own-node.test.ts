import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { ownNode } from '../../../src/system/programs/own-node.ts'

test('a Node of ours has one worker thread of V8, however many processors there are', () => {
  const [node, ...options] = ownNode('supervisor', '/nowhere').slice(0, -1) as [string, ...string[]]
  expect(options).toContain('--v8-pool-size=1')
  const threads = `const { readdirSync, readFileSync } = require('node:fs')
    const names = readdirSync('/proc/self/task').map((id) => readFileSync('/proc/self/task/' + id + '/comm', 'utf8'))
    console.log(names.filter((name) => name.includes('V8Worker')).length)`
  expect(execFileSync(node, [...options, '-e', threads], { encoding: 'utf8' })).toBe('1\n')
})
