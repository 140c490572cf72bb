import { expect, test } from 'vitest'
import { parseLog } from '../../src/s6/log-script.ts'

test('a setting of files holds for every directory after it, a stamp for the next one only', () => {
  expect(parseLog('-b -p -d3 -- n3 s5000 T /a ./b n20 T 1 t /c'.split(' '))).toEqual({
    ignoresTerm: true,
    notify: 3,
    actions: [
      { to: 'directory', stamped: true, dir: '/a', archives: 3, maxBytes: 5000 },
      { to: 'directory', stamped: false, dir: './b', archives: 3, maxBytes: 5000 },
      { to: 'stdout', stamped: true },
      { to: 'directory', stamped: true, dir: '/c', archives: 20, maxBytes: 5000 },
    ],
  })
})

test('the defaults are those of s6-log, and sizes stay within its limits', () => {
  const size = (setting?: string) => parseLog([...(setting ? [setting] : []), '/a'])
  expect(size()).toEqual({
    ignoresTerm: false,
    actions: [{ to: 'directory', stamped: false, dir: '/a', archives: 10, maxBytes: 99_999 }],
  })
  expect(size('s1')).toMatchObject({ actions: [{ maxBytes: 4096 }] })
  expect(size('s999999999')).toMatchObject({ actions: [{ maxBytes: 268_435_455 }] })
  expect(size('n0')).toMatchObject({ actions: [{ archives: 0 }] })
})

test.each([
  ['', 'expected a directory'],
  ['T', 'expected a directory'],
  ['!gzip /a', '"!gzip" is not known here'],
  ['+error /a', '"+error" is not known here'],
  ['-x /a', 'unknown option -x'],
  ['-- -debug /a', '"-debug" is not known here'],
  ['S5000 /a', '"S5000" is not known here'],
  ['nfive /a', '"nfive" is not known here'],
  ['2 /a', '"2" is not known here'],
  ['relative/dir', '"relative/dir" is not known here'],
  ['-l 100 /a', 'unknown option -l'],
  ['-d 1 /a', '-d takes a descriptor from 3 on'],
  ['-d x /a', '-d takes a descriptor from 3 on'],
])('"%s" is refused: %s', (script, why) => {
  expect(parseLog(script.split(' ').filter(Boolean))).toContain(why)
})
