import { createHash, timingSafeEqual } from 'node:crypto'

const digest = (text: string): Buffer => createHash('sha256').update(text).digest()

/**
 * Compares a text with a secret. Digests have equal length, so the duration reveals nothing about the secret, not even
 * its length.
 */
export const sameText = (given: string | undefined, right: string): boolean =>
  given !== undefined && timingSafeEqual(digest(given), digest(right))
