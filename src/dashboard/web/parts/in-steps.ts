import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'

/** As many as a large screen shows at once; more would make a change wait longer while they are drawn. */
const STEP = 30

/**
 * Draws a long list in steps, so that its beginning is painted, and the page answers, before the rest is there.
 * @returns how many of its items to draw now; with each frame more, in the end all
 */
export function useInSteps(total: number): number {
  const drawn = useSignal(STEP)
  const count = Math.min(drawn.value, total)
  useEffect(() => {
    if (count < total) drawn.value += STEP
  }, [count, total])
  return count
}
