import { expect, test } from 'vitest'
import { ignoredSettings, settingText, withSettings } from '../../src/kanban/port/settings.ts'
import { defaultConfig } from '../../src/profile/config/config.ts'

const defaults = defaultConfig().kanban

test('a key that is set on the board counts, null included, and any other as config.yaml has it', () => {
  const written = { ...defaults, maxInProgress: 5, failureLimit: 3 }
  expect(withSettings(written, { max_in_progress: null, require_review: true })).toEqual({
    ...written,
    maxInProgress: null,
    requireReview: true,
  })
  expect(withSettings(written, {})).toEqual(written)
})

test('a value of config.yaml that differs from the board is named; the same one and a default are not', () => {
  const written = { ...defaults, maxInProgress: 5, maxInProgressPerProfile: '2', failureLimit: 3 }
  const settings = { max_in_progress: 9, max_in_progress_per_profile: 2, default_assignee: 'coder' }
  expect(ignoredSettings(written, settings, defaults)).toEqual([
    'kanban.max_in_progress in config.yaml is 5, and is ignored: the board has 9 (hermes kanban settings max_in_progress)',
  ])
})

test('capacities of pools on the board take the place of all in config.yaml, and the same ones differ in nothing', () => {
  const written = { ...defaults, pools: { gpu: 2, api: 1 } }
  expect(withSettings(written, { pools: { gpu: 3 } }).pools).toEqual({ gpu: 3 })
  expect(ignoredSettings(written, { pools: { api: 1, gpu: 2 } }, defaults)).toEqual([])
  expect(ignoredSettings(defaults, { pools: { gpu: 2 } }, defaults)).toEqual([])
  expect(ignoredSettings(written, { pools: { gpu: 3 } }, defaults)).toEqual([
    'kanban.pools in config.yaml is {"gpu":2,"api":1}, and is ignored: the board has {"gpu":3} (hermes kanban settings pools)',
  ])
})

test.each([
  ['coder', 'coder'],
  ['', '""'],
  [null, 'null'],
  [undefined, 'null'],
  [true, 'true'],
  [7, '7'],
])('%j is written as %s', (value, text) => {
  expect(settingText(value)).toBe(text)
})
