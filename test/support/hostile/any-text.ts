import fc from 'fast-check'

/**
 * Text of any code points, as fast-check's `unit: 'binary'`, which first lists all 1,112,064 of them: seconds in each
 * process that has one test of it.
 */
export const anyText = (constraints: { readonly maxLength?: number } = {}): fc.Arbitrary<string> =>
  fc.string({ ...constraints, unit: codePoint })

/** Any but the halves of surrogate pairs. */
const codePoint = fc.integer({ min: 0, max: 0x10_f7ff }).map((n) => String.fromCodePoint(n < 0xd800 ? n : n + 0x800))
