/** Whether `npm run long` asked for the whole size. */
const isLong = process.env.HERMES_LONG === '1'

/** How often a test repeats what it tries: `ci` in `npm test`, `whole` in `npm run long -- NAME`. */
export const size = (ci: number, whole: number): number => (isLong ? whole : ci)
