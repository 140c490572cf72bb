import { readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Pipes } from '../../../src/init/processes/pipes.ts'
import { ServicePrograms } from '../../../src/init/slots/service-programs.ts'
import { realNative } from '../../support/supervisor/real-native.ts'

test('a service in the middle of a pipeline whose second pipe cannot be made keeps nothing of the first', () => {
  let made = 0
  const pipes = new Pipes({
    pipe: (options) => {
      if (made++ > 0) throw new Error('EMFILE: too many open files')
      return realNative.pipe(options)
    },
  })
  const programs = new ServicePrograms({
    scanDir: '/run/service',
    pipes,
    container: () => ({}),
    root: { path: () => '/bin', variables: () => ({}) },
    dir: join(tmpdir(), 'hermes-service-programs'),
    runtimeUser: { uid: 10_000, restrictions: [] },
    uid: 0,
    warn: (text) => expect.fail(text),
  })
  const middle = {
    name: 'middle',
    oneshot: false,
    run: ['/bin/cat'],
    cwd: '/',
    inherits: 'path',
    variables: {},
    depth: 0,
  } as const
  programs.load({ programs: [{ ...middle, reads: 'in', writes: 'out' }] })
  const count = (): number => readdirSync('/proc/self/fd').length
  const before = count()
  for (let tries = 0; tries < 3; tries++)
    expect(() => programs.command('service-middle', 'run')).toThrow('too many open files')
  // The pipe between two services is kept: both of its ends, once.
  expect(count()).toBe(before + 2)
  pipes.close('in')
})
