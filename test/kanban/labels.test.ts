import { expect, test } from 'vitest'
import { labelList, missingLabels, parseLabels } from '../../src/kanban/labels.ts'
import { readLabels } from '../../src/kanban/rules.ts'

test('labels are names, some with a value, in the order of their names', () => {
  expect(parseLabels(' region=eu, gpu ,,example.com/disk=ssd', 'x')).toEqual({
    'example.com/disk': 'ssd',
    gpu: '',
    region: 'eu',
  })
  expect(labelList(parseLabels('region=eu,gpu,gpu', 'x'))).toEqual(['gpu', 'region=eu'])
  expect(parseLabels('', 'x')).toEqual({})
})

test.each([
  ['a b', 'x: "a b" is not a label'],
  ['=eu', 'x: "=eu" is not a label'],
  ['gpu=a=b', 'x: "gpu=a=b" is not a label'],
  ['région=eu', 'x: "région=eu" is not a label'],
  ['region=eu,region=us', 'x: the label region has two values'],
  [Array.from({ length: 51 }, (_, at) => `l${at}`).join(), 'x: 51 labels are more than 50'],
])('%s is refused by a line that says why', (text, message) => {
  expect(() => parseLabels(text, 'x')).toThrow(expect.objectContaining({ code: 'USAGE', message }))
})

test.each([
  [['gpu'], 'gpu', []],
  [['gpu'], 'gpu=a100', []],
  [['gpu=a100'], 'gpu', ['gpu=a100']],
  [['gpu=a100'], 'gpu=h100', ['gpu=a100']],
  [['gpu', 'region=eu'], 'region=us', ['gpu', 'region=eu']],
  [['toString'], '', ['toString']],
  [[], '', []],
])('a task that needs %j misses on a node with "%s": %j', (needs, labels, missing) => {
  expect(missingLabels(needs, parseLabels(labels, 'x'))).toEqual(missing)
})

test('the variable counts if it is set, else the key; a text that is not one gives none, with a warning', () => {
  expect(readLabels('gpu', undefined)).toEqual({ value: { gpu: '' } })
  expect(readLabels('gpu', ' ')).toEqual({ value: { gpu: '' } })
  expect(readLabels('gpu', 'region=eu')).toEqual({ value: { region: 'eu' } })
  expect(readLabels('a b', undefined)).toEqual({
    value: {},
    warning: 'kanban dispatcher: kanban.labels: "a b" is not a label; this node has no labels',
  })
  expect(readLabels('gpu', 'a b').warning).toContain('HERMES_NODE_LABELS')
})
