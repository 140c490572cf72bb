import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'

/** As many as a large screen shows at once. */
const FIRST = 30
const STEP = 60

/**
 * Draws a long list in steps, so that its beginning is painted, and the page answers, before the rest is there.
 * @returns how many of its items to draw now; with each frame more, in the end all
 */
export function useInSteps(total: number): number {
  const drawn = useSignal(FIRST)
  const count = Math.min(drawn.value, total)
  useEffect(() => {
    if (count < total) drawn.value += STEP
  }, [count, total])
  return count
}
