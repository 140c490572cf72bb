import fc from 'fast-check'
import { size } from '../size.ts'
import { anyText } from './any-text.ts'

/** Seconds for each target: together a minute in `npm test`, ten in `npm run long -- fuzz`. */
export const SECONDS = size(6, 75)

export interface Figures {
  readonly target: string
  inputs: number
  seconds: number
}

/**
 * Tries inputs until the time is over. One that fails is made as small as it gets, and is the error's message.
 * @param one rejects, or throws, where the input is not dealt with as it should be
 */
export async function fuzz<T>(
  target: string,
  inputs: fc.Arbitrary<T>,
  one: (input: T) => Promise<void> | void,
): Promise<Figures> {
  const figures: Figures = { target, inputs: 0, seconds: 0 }
  const startedAtMs = performance.now()
  const property = fc.asyncProperty(inputs, async (input) => {
    figures.inputs++
    await one(input)
  })
  await fc.assert(property, { numRuns: 1e9, interruptAfterTimeLimit: SECONDS * 1000, maxSkipsPerRun: 1e9 })
  figures.seconds = Math.round((performance.now() - startedAtMs) / 1000)
  return figures
}

/** Characters that no text of ours contains, and some that do occur. */
const odd = fc.constantFrom(
  '',
  '\0',
  '\n',
  '\r',
  '\t',
  '\x1b[2J',
  '\x9b',
  '\u202e',
  '\ud800',
  '{',
  '}',
  '[',
  ']',
  '"',
  "'",
  '`',
  '\\',
  '/',
  '..',
  ':',
  '- ',
  '? ',
  '&a',
  '*a',
  '!!js',
  '<<: ',
  '%',
  '%00',
  '%2e%2e%2f',
  '%ff',
  '#',
  '$(id)',
  '__proto__',
  'constructor',
  '9'.repeat(400),
  '-0',
  '1e309',
  'NaN',
)
/** Any text: sound words, odd pieces and bytes in any order. @param words that mean something to the target */
export const texts = (tokens: readonly string[]): fc.Arbitrary<string> =>
  fc
    .array(
      fc.oneof(
        { weight: 5, arbitrary: fc.constantFrom(...tokens) },
        { weight: 3, arbitrary: odd },
        { weight: 1, arbitrary: anyText({ maxLength: 30 }) },
        {
          weight: 1,
          arbitrary: fc
            .tuple(odd, fc.integer({ min: 2, max: 2000 }))
            .map(([piece, times]) => piece.repeat(times).slice(0, 20_000)),
        },
      ),
      { maxLength: 25 },
    )
    .map((pieces) => pieces.join(''))

/** A sound text with a few bytes turned round, cut out or doubled. */
export const mutationsOf = (sound: readonly string[]): fc.Arbitrary<string> =>
  fc
    .tuple(
      fc.constantFrom(...sound),
      fc.array(fc.tuple(fc.nat(), fc.nat(4), fc.nat(255)), { minLength: 1, maxLength: 4 }),
    )
    .map(([text, changes]) => {
      let bytes = Buffer.from(text)
      for (const [place, kind, byte] of changes) {
        const at = bytes.length === 0 ? 0 : place % bytes.length
        if (kind === 0 && bytes.length > 0) bytes[at] = byte
        else if (kind === 1) bytes = bytes.subarray(0, at)
        else if (kind === 2) bytes = Buffer.concat([bytes.subarray(0, at), bytes])
        else
          bytes = Buffer.concat([bytes.subarray(0, at), Buffer.from([byte]), bytes.subarray(at + (kind === 3 ? 0 : 1))])
      }
      return bytes.toString('utf8')
    })

/** JSON of any shape that is built from these keys and values. */
export const jsonOf = (keys: readonly string[], values: readonly unknown[]): fc.Arbitrary<unknown> => {
  const leaf = fc.oneof(
    fc.constantFrom(...values),
    fc.constantFrom(null, true, 0, -1, 1.5, 2 ** 53, 1e308, '', 'x'.repeat(5000), '\u0000', []),
    anyText({ maxLength: 20 }),
  )
  return fc.letrec<{ any: unknown }>((tie) => ({
    any: fc.oneof(
      { maxDepth: 3, depthSize: 'small' },
      leaf,
      fc.dictionary(fc.oneof(fc.constantFrom(...keys), fc.string({ maxLength: 8 })), tie('any'), { maxKeys: 8 }),
      fc.array(tie('any'), { maxLength: 4 }),
    ),
  })).any
}
