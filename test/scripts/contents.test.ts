import { expect, test } from 'vitest'
import { contentsOf, nameOf, packagesOf } from '../../scripts/build/contents.ts'

test('the packages of a bundle follow from the files it was made of', () => {
  const files = [
    'src/a.ts',
    '../node_modules/@x/y/dist/i.js',
    '/r/node_modules/b/z.css?raw',
    '\0vite/preload-helper.js',
  ]
  expect(packagesOf(files)).toEqual(['@x/y', 'b', 'vite'])
})

test('a second version of a package, inside another one, is one of its own', () => {
  const inner = packagesOf(['node_modules/b/i.js', '/r/node_modules/a/node_modules/b/i.js'])
  expect(inner).toEqual(['a/node_modules/b', 'b'])
  expect(inner.map(nameOf)).toEqual(['b', 'b'])
  expect(nameOf('@x/y')).toBe('@x/y')
})

test('a build holds what has bytes in a bundle, the page and the native files, each with its place', () => {
  const input = (bytesInOutput: number) => ({ bytesInOutput })
  const outputs = {
    'tmp/1/lib/hermes.js': { inputs: { 'src/a.ts': input(9), 'node_modules/pino/p.js': input(1) } },
    'tmp/1/lib/meter.js': { inputs: { 'node_modules/pino/p.js': input(5), 'node_modules/unused/u.js': input(0) } },
  }
  const contents = contentsOf(outputs, ['/r/node_modules/@f/geist/g.woff2'], {
    'koffi.node': '/r/node_modules/@koromix/koffi-linux-x64/linux_x64/koffi.node',
  })
  expect([...contents].map(([name, places]) => [name, ...places])).toEqual([
    ['@f/geist', 'lib/dashboard'],
    ['@koromix/koffi-linux-x64', 'lib/koffi.node'],
    ['pino', 'lib/hermes.js', 'lib/meter.js'],
  ])
})
