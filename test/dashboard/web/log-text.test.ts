import { describe, expect, test } from 'vitest'
import { LogBuffer } from '../../../src/dashboard/web/core/log-buffer.ts'
import { shownText } from '../../../src/dashboard/web/core/log-text.ts'

const ESC = '\x1b'

describe('a line as a terminal shows it', () => {
  test('is the same if it has no control sequences', () => {
    expect(shownText('plain [31m text')).toEqual({ text: 'plain [31m text' })
    expect(shownText('')).toEqual({ text: '' })
  })

  test('has its colours and decorations', () => {
    expect(shownText(`${ESC}[32mok${ESC}[0m and ${ESC}[1;91mbad`)).toEqual({
      text: 'ok and bad',
      spans: [
        { text: 'ok', style: 'ansi-green' },
        { text: ' and ', style: '' },
        { text: 'bad', style: 'ansi-bright-red ansi-bold' },
      ],
    })
  })

  test('has a colour of the first sixteen in either notation; others are plain', () => {
    expect(shownText(`${ESC}[38;5;9mred`).spans).toEqual([{ text: 'red', style: 'ansi-bright-red' }])
    for (const code of ['38;5;200', '38;2;1;2;3', '48;5;1'])
      expect(shownText(`${ESC}[${code}mx`)).toEqual({ text: 'x' })
  })

  test('lacks what moves the cursor, sets a title or makes a link', () => {
    const text = `${ESC}[2K${ESC}[1Gnow${ESC}]0;title\x07 ${ESC}]8;;https://example.com${ESC}\\here${ESC}]8;;${ESC}\\`
    expect(shownText(text)).toEqual({ text: 'now here' })
  })

  test('is what was written last after a carriage return', () => {
    expect(shownText('10%\r20%\r100%').text).toBe('100%')
    expect(shownText('100%\r').text).toBe('100%')
    expect(shownText('\r').text).toBe('')
    expect(shownText(`1 of 2\r${ESC}[K${ESC}[32m2 of 2${ESC}[m`)).toEqual({
      text: '2 of 2',
      spans: [{ text: '2 of 2', style: 'ansi-green' }],
    })
  })
})

test('a colored line is found by its text, has the level it shows, and meets the stream as it came', () => {
  const buffer = new LogBuffer(10)
  const raw = `${ESC}[31mERROR${ESC}[0m no ${ESC}[1mkey`
  buffer.append([{ text: raw }, { text: 'other' }])
  buffer.setFilter({ text: 'error no key', level: 'error' })
  expect(buffer.shown).toMatchObject([{ text: 'ERROR no key', level: 'error' }])
  expect(buffer.tail(2)).toEqual([raw, 'other'])
})
