// Our reader accepts and refuses what s6-rc-compile does. Where that is installed, the test runs it too.
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { problemText } from '../../src/services/definition.ts'
import { validGraph } from '../../src/services/graph.ts'
import { readS6Rc } from '../../src/services/s6-tree.ts'
import { sharedScratchDir } from '../support/scratch.ts'
import { named, whyMissing } from '../support/tools.ts'
import { type Source, sourceDirs, TREE_FACTS } from './sources.ts'

interface Row {
  readonly says: string
  /** Path below the source directory → text. */
  readonly source: Source
  /** Names that are skipped, and the message about the first. Absent: everything is accepted. */
  readonly refused?: readonly [names: readonly string[], said: string]
}

const longrun = (name: string, more: Source = {}): Source => ({
  [`${name}/type`]: 'longrun\n',
  [`${name}/run`]: '#!/bin/sh\nexec sleep 1000\n',
  ...Object.fromEntries(Object.entries(more).map(([file, text]) => [`${name}/${file}`, text])),
})
const oneshot = (name: string, more: Source = {}): Source => ({
  [`${name}/type`]: 'oneshot\n',
  [`${name}/up`]: '/bin/true\n',
  ...Object.fromEntries(Object.entries(more).map(([file, text]) => [`${name}/${file}`, text])),
})
const bundle = (name: string, more: Source): Source => ({
  [`${name}/type`]: 'bundle\n',
  ...Object.fromEntries(Object.entries(more).map(([file, text]) => [`${name}/${file}`, text])),
})

const ROWS: readonly Row[] = [
  // Names in files.
  {
    says: 'comments, blanks and empty lines in dependencies',
    source: { ...longrun('a'), ...longrun('b', { dependencies: '# needs\n\n \ta\n  # b\n' }) },
  },
  { says: 'a last line without newline', source: { ...longrun('a'), ...longrun('b', { dependencies: 'a' }) } },
  {
    says: 'dependencies.d wins over dependencies',
    source: { ...longrun('a'), ...longrun('b', { 'dependencies.d/a': '', dependencies: 'gone\n' }) },
  },
  {
    says: 'an empty dependencies.d wins, too',
    source: longrun('b', { 'dependencies.d/.keep': '', dependencies: 'gone\n' }),
  },
  { says: 'a name twice', source: { ...longrun('a'), ...longrun('b', { dependencies: 'a\na\n' }) } },
  {
    says: 'two names on a line',
    source: { ...longrun('a'), ...longrun('c'), ...longrun('b', { dependencies: 'a c\n' }) },
    refused: [['b'], 'depends on a c'],
  },
  {
    says: 'a blank after a name',
    source: { ...longrun('a'), ...longrun('b', { dependencies: 'a \n' }) },
    refused: [['b'], 'depends on a '],
  },
  {
    says: 'CRLF in a list of names',
    source: { ...longrun('a'), ...longrun('b', { dependencies: 'a\r\n' }) },
    refused: [['b'], 'b/dependencies: its lines end in CRLF'],
  },
  {
    says: 'contents.d wins over contents',
    source: { ...longrun('a'), ...bundle('all', { 'contents.d/a': '', contents: 'gone\n' }) },
  },
  { says: 'comments in contents', source: { ...longrun('a'), ...bundle('all', { contents: '# all of them\na\n' }) } },
  {
    says: 'an undefined dependency',
    source: longrun('b', { dependencies: 'gone\n' }),
    refused: [['b'], 'depends on gone, which is not defined'],
  },
  {
    says: 'dependencies in a circle',
    source: { ...longrun('a', { dependencies: 'b\n' }), ...oneshot('b', { dependencies: 'a\n' }) },
    refused: [['a', 'b'], 'depends on itself'],
  },
  // Types and identifiers.
  { says: 'a type without newline', source: longrun('a', { type: 'longrun' }) },
  { says: 'a second newline after eight bytes', source: longrun('a', { type: 'longrun\n\n' }) },
  {
    says: 'a type with a blank',
    source: longrun('a', { type: 'longrun \n' }),
    refused: [['a'], 'expected longrun, oneshot or bundle, got "longrun "'],
  },
  {
    says: 'a type with CRLF',
    source: longrun('a', { type: 'longrun\r\n' }),
    refused: [['a'], 'a/type: its lines end in CRLF'],
  },
  { says: 'a type in capitals', source: longrun('a', { type: 'Longrun\n' }), refused: [['a'], 'expected longrun'] },
  { says: 'no type', source: { 'a/run': '#!/bin/sh\n' }, refused: [['a'], 'the file is missing'] },
  { says: 'a reserved name', source: longrun('s6rc-web'), refused: [['s6rc-web'], 'reserved by s6-rc'] },
  { says: 'the other reserved name', source: oneshot('s6-rc-web'), refused: [['s6-rc-web'], 'reserved by s6-rc'] },
  { says: 'no run', source: { 'a/type': 'longrun\n' }, refused: [['a'], 'there is no such file'] },
  { says: 'no up', source: { 'a/type': 'oneshot\n' }, refused: [['a'], 'a oneshot needs a file named up'] },
  { says: 'an empty up', source: oneshot('a', { up: '' }) },
  { says: 'an up with CRLF, which execline takes for white space', source: oneshot('a', { up: '/bin/true\r\n' }) },
  // Bundles.
  {
    says: 'a bundle in a bundle',
    source: { ...longrun('a'), ...bundle('x', { contents: 'y\n' }), ...bundle('y', { contents: 'a\n' }) },
  },
  { says: 'an empty bundle', source: bundle('x', { contents: '' }) },
  {
    says: 'a bundle without contents',
    source: bundle('x', {}),
    refused: [['x'], 'the bundle x starts nothing: it has neither contents.d nor contents'],
  },
  {
    says: 'a bundle that names nothing there',
    source: bundle('x', { contents: 'gone\n' }),
    refused: [['gone'], 'x: the bundle names it, and no directory defines it'],
  },
  { says: 'a bundle in itself', source: bundle('x', { contents: 'x\n' }), refused: [['x'], 'it holds itself: x → x'] },
  {
    says: 'bundles in a circle',
    source: { ...bundle('x', { contents: 'y\n' }), ...bundle('y', { contents: 'x\n' }) },
    refused: [['x', 'y'], 'it holds itself: x → y → x'],
  },
  {
    says: 'a dependency on a bundle in a circle',
    source: { ...bundle('x', { contents: 'x\n' }), ...longrun('a', { dependencies: 'x\n' }) },
    refused: [['x', 'a'], 'it holds itself'],
  },
  // Numbers.
  ...['timeout-up', 'timeout-down', 'timeout-kill', 'timeout-finish', 'max-death-tally', 'lock-fd'].flatMap(
    (file): Row[] => [
      { says: `${file} of 32 bits`, source: longrun('a', { [file]: '4294967295\n', finish: '#!/bin/sh\n' }) },
      { says: `${file} without newline`, source: longrun('a', { [file]: '5' }) },
      {
        says: `${file} of 33 bits`,
        source: longrun('a', { [file]: '4294967296\n' }),
        refused: [['a'], `a/${file}: expected`],
      },
      {
        says: `${file} with a unit`,
        source: longrun('a', { [file]: '5s\n' }),
        refused: [['a'], `a/${file}: expected`],
      },
      { says: `an empty ${file}`, source: longrun('a', { [file]: '\n' }), refused: [['a'], `a/${file}: expected`] },
      {
        says: `${file} with a blank`,
        source: longrun('a', { [file]: '5 \n' }),
        refused: [['a'], `a/${file}: expected`],
      },
      {
        says: `${file} with CRLF`,
        source: longrun('a', { [file]: '5\r\n' }),
        refused: [['a'], `a/${file}: its lines end in CRLF`],
      },
    ],
  ),
  { says: 'a second line after timeout-kill', source: longrun('a', { 'timeout-kill': '5\nms\n' }) },
  {
    says: 'a second line after timeout-up',
    source: longrun('a', { 'timeout-up': '5\nms\n' }),
    refused: [['a'], 'a/timeout-up: expected'],
  },
  { says: 'timeouts of a oneshot', source: oneshot('a', { 'timeout-up': '100000000\n', 'timeout-down': '0\n' }) },
  { says: 'an unknown flag', source: longrun('a', { 'flag-recommended': '' }) },
  {
    says: 'one descriptor for two',
    source: longrun('a', { 'notification-fd': '4\n', 'lock-fd': '4\n' }),
    refused: [['a'], 'a/lock-fd: it names the descriptor of notification-fd'],
  },
  // Pipelines.
  {
    says: 'a pipeline',
    source: { ...longrun('w', { 'producer-for': 'r\n' }), ...longrun('r', { 'consumer-for': 'w\n' }) },
  },
  {
    says: 'comments in producer-for and consumer-for',
    source: {
      ...longrun('w', { 'producer-for': '# who reads it\nr\n' }),
      ...longrun('r', { 'consumer-for': '# all\n\nw\n' }),
    },
  },
  {
    says: 'two writers',
    source: {
      ...longrun('v', { 'producer-for': 'r\n' }),
      ...longrun('w', { 'producer-for': 'r\n' }),
      ...longrun('r', { 'consumer-for': 'v\nw\n' }),
    },
  },
  {
    says: 'a pipeline of three, with a name',
    source: {
      ...longrun('w', { 'producer-for': 'f\n' }),
      ...longrun('f', { 'consumer-for': 'w\n', 'producer-for': 'r\n' }),
      ...longrun('r', { 'consumer-for': 'f\n', 'pipeline-name': 'p\n' }),
      ...longrun('n', { dependencies: 'p\n' }),
    },
  },
  {
    says: 'a producer whose consumer does not know it',
    source: { ...longrun('w', { 'producer-for': 'r\n' }), ...longrun('r') },
    refused: [['w'], 'w/producer-for: it names r, which does not name it back'],
  },
  {
    says: 'a consumer whose producer does not know it',
    source: { ...longrun('w'), ...longrun('r', { 'consumer-for': 'w\n' }) },
    refused: [['r'], 'r/consumer-for: it names w, which does not name it back'],
  },
  {
    says: 'a consumer of two, of which one does not know it',
    source: {
      ...longrun('v'),
      ...longrun('w', { 'producer-for': 'r\n' }),
      ...longrun('r', { 'consumer-for': 'v\nw\n' }),
    },
    refused: [['r', 'w'], 'it names v, which does not name it back'],
  },
  {
    says: 'a producer for another consumer',
    source: {
      ...longrun('w', { 'producer-for': 'r\n' }),
      ...longrun('r', { 'consumer-for': 'w\n' }),
      ...longrun('s', { 'consumer-for': 'w\n' }),
    },
    refused: [['s'], 's/consumer-for: it names w, which does not name it back'],
  },
  {
    says: 'a producer for a oneshot',
    source: { ...longrun('w', { 'producer-for': 'r\n' }), ...oneshot('r', { 'consumer-for': 'w\n' }) },
    refused: [['w'], 'it names r, which is not a longrun'],
  },
  {
    says: 'a oneshot that calls itself a producer, which counts for nothing',
    source: oneshot('w', { 'producer-for': 'r\n' }),
  },
  {
    says: 'a consumer of a oneshot',
    source: { ...oneshot('w', { 'producer-for': 'r\n' }), ...longrun('r', { 'consumer-for': 'w\n' }) },
    refused: [['r'], 'it names w, which is not a longrun'],
  },
  {
    says: 'a producer for nothing there',
    source: longrun('w', { 'producer-for': 'gone\n' }),
    refused: [['w'], 'it names gone, which is not a longrun'],
  },
  {
    says: 'a producer for a bundle',
    source: { ...longrun('w', { 'producer-for': 'x\n' }), ...bundle('x', { contents: 'w\n' }) },
    refused: [['w'], 'it names x, which is not a longrun'],
  },
  {
    says: 'a producer for two',
    source: {
      ...longrun('w', { 'producer-for': 'r\ns\n' }),
      ...longrun('r', { 'consumer-for': 'w\n' }),
      ...longrun('s', { 'consumer-for': 'w\n' }),
    },
    refused: [['w', 'r', 's'], 'w/producer-for: expected one name, got 2'],
  },
  {
    says: 'an empty producer-for',
    source: longrun('w', { 'producer-for': '# none\n' }),
    refused: [['w'], 'w/producer-for: expected one name, got 0'],
  },
  { says: 'an empty consumer-for, which counts for nothing', source: longrun('r', { 'consumer-for': '# none\n' }) },
  {
    says: 'a pipeline in a circle',
    source: {
      ...longrun('a', { 'producer-for': 'b\n', 'consumer-for': 'b\n' }),
      ...longrun('b', { 'producer-for': 'a\n', 'consumer-for': 'a\n' }),
    },
    refused: [['a', 'b'], 'depends on itself'],
  },
  {
    says: 'a pipeline with the name of a service',
    source: {
      ...longrun('p'),
      ...longrun('w', { 'producer-for': 'r\n' }),
      ...longrun('r', { 'consumer-for': 'w\n', 'pipeline-name': 'p\n' }),
    },
    refused: [['r', 'w'], 'r/pipeline-name: p is the name of something else'],
  },
  {
    says: 'a pipeline with the name of a bundle',
    source: {
      ...bundle('p', { contents: '' }),
      ...longrun('w', { 'producer-for': 'r\n' }),
      ...longrun('r', { 'consumer-for': 'w\n', 'pipeline-name': 'p\n' }),
    },
    refused: [['r', 'w'], 'p is the name of something else'],
  },
  {
    says: 'two pipelines with one name',
    source: {
      ...longrun('w', { 'producer-for': 'r\n' }),
      ...longrun('r', { 'consumer-for': 'w\n', 'pipeline-name': 'p\n' }),
      ...longrun('v', { 'producer-for': 's\n' }),
      ...longrun('s', { 'consumer-for': 'v\n', 'pipeline-name': 'p\n' }),
    },
    refused: [['s', 'v'], 's/pipeline-name: p is the name of something else'],
  },
  {
    says: 'a reserved name for a pipeline',
    source: {
      ...longrun('w', { 'producer-for': 'r\n' }),
      ...longrun('r', { 'consumer-for': 'w\n', 'pipeline-name': 's6rc-p\n' }),
    },
    refused: [['r', 'w'], 's6-rc keeps names'],
  },
  {
    says: 'two names for a pipeline',
    source: {
      ...longrun('w', { 'producer-for': 'r\n' }),
      ...longrun('r', { 'consumer-for': 'w\n', 'pipeline-name': 'p\nq\n' }),
    },
    refused: [['r', 'w'], 'r/pipeline-name: expected one name, got 2'],
  },
  {
    says: 'a name of a pipeline in its middle, which is passed over',
    source: {
      ...longrun('w', { 'producer-for': 'r\n', 'pipeline-name': 'p\n' }),
      ...longrun('r', { 'consumer-for': 'w\n' }),
    },
  },
  {
    says: 'a name of a pipeline outside of any, which is passed over',
    source: longrun('w', { 'pipeline-name': 'p q\n' }),
  },
]

/** Names that are left out, and the lines that say so. */
function ours(source: Source): readonly [names: readonly string[], said: readonly string[]] {
  const { definitions, problems } = readS6Rc(sourceDirs(source), [], TREE_FACTS)
  const graph = validGraph(definitions, new Set(problems.flatMap(({ service }) => service ?? [])))
  const all = [...problems, ...graph.problems]
  const names = all.map(({ service, message }) => service ?? /^the bundle (\S+) /.exec(message)?.[1] ?? '')
  return [[...new Set(names)].sort(), all.map(problemText)]
}

test.each(ROWS)('$says', ({ source, refused: [names, said] = [[], ''] }) => {
  const [out, lines] = ours(source)
  expect(out).toEqual([...names].sort())
  if (names.length > 0) expect(lines).toContainEqual(expect.stringContaining(said))
})

const whyNoCompiler = whyMissing('s6-rc-compile')

describe.skipIf(whyNoCompiler !== undefined)(named('s6-rc-compile itself says the same', whyNoCompiler), () => {
  const dir = sharedScratchDir('hermes-s6-rc-')

  test.each(ROWS.map((row, n) => ({ ...row, n })))('$says', ({ source, refused, n }) => {
    const root = join(dir, `${n}`)
    for (const [path, text] of Object.entries(source)) {
      mkdirSync(dirname(join(root, path)), { recursive: true })
      writeFileSync(join(root, path), text)
    }
    const compile = (): string =>
      execFileSync('s6-rc-compile', ['-v0', `${root}.out`, root], { stdio: 'pipe', encoding: 'utf8' })
    if (refused === undefined) expect(compile()).toBe('')
    else expect(compile).toThrow('s6-rc-compile: fatal:')
  })
})

describe('the result of compiling a tree', () => {
  const read = (source: Source) => readS6Rc(sourceDirs(source), [], TREE_FACTS).definitions

  test('a bundle hands flag-essential on, also to what the bundles in it hold', () => {
    const tree = {
      ...bundle('core', { contents: 'a\nmore\n', 'flag-essential': '' }),
      ...bundle('more', { contents: 'b\n' }),
      ...longrun('a'),
      ...oneshot('b'),
      ...longrun('c', { dependencies: 'core\n' }),
    }
    expect(read(tree).map(({ rules }) => [rules.name, rules.keep])).toEqual([
      ['a', true],
      ['b', true],
      ['c', false],
    ])
  })

  test('timeouts of more than a day are what is waited', () => {
    const [one] = read(longrun('a', { 'timeout-up': '4294967295\n', 'timeout-kill': '100000000\n' }))
    expect(one?.rules).toMatchObject({ startTimeoutMs: 4_294_967_295, stopTimeoutMs: 100_000_000 })
  })
})
