/** Which rows of a long list are in the document. All rows have one height. */

export interface Scroll {
  readonly scrollTop: number
  readonly viewportPx: number
  readonly rowPx: number
  readonly count: number
  /** Rows drawn above and below what is seen. */
  readonly overscan: number
}

export interface Window {
  /** Index of the first row drawn. */
  readonly first: number
  /** Index after the last row drawn. */
  readonly end: number
  /** Offset of the first row drawn, from the list's top. */
  readonly offsetPx: number
  readonly totalPx: number
}

export function windowOf({ scrollTop, viewportPx, rowPx, count, overscan }: Scroll): Window {
  const seen = Math.ceil(viewportPx / rowPx) + 1
  // A scroll position from before the list became shorter must not leave the window empty.
  const top = Math.min(Math.max(0, Math.floor(scrollTop / rowPx)), Math.max(0, count - 1))
  const first = Math.max(0, top - overscan)
  const end = Math.min(count, top + seen + overscan)
  return { first, end, offsetPx: first * rowPx, totalPx: count * rowPx }
}

/** Near enough to the end to mean "show what comes". */
export const isAtEnd = (scrollTop: number, viewportPx: number, totalPx: number, rowPx: number): boolean =>
  scrollTop + viewportPx >= totalPx - rowPx * 1.5
