// The name of a file that is sent to be saved.
import { expect, test } from 'vitest'
import { downloadHeaders } from '../../../src/dashboard/kanban/download.ts'

test.each([
  ['list.csv', 'list.csv', 'list.csv'],
  ['a b.txt', 'a b.txt', 'a%20b.txt'],
  ['\u00e4\u{1f600}.txt', '__.txt', '%C3%A4%F0%9F%98%80.txt'],
  ['a";x="b', 'a_;x=_b', 'a%22%3Bx%3D%22b'],
  ["a\\b%41'(c)*", "a_b_41'(c)*", 'a%5Cb%2541%27%28c%29%2A'],
])('%j is a name in both forms, and ends no header', (name, ascii, encoded) => {
  const headers = downloadHeaders(name)
  expect(headers['Content-Disposition']).toBe(`attachment; filename="${ascii}"; filename*=UTF-8''${encoded}`)
  expect(new Headers(headers).get('content-disposition')).toContain(encoded)
})
