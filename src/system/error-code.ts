/** Whether the system has refused with one of these codes (errno(3)). */
export const hasCode = (error: unknown, ...codes: readonly string[]): boolean =>
  codes.includes((error as NodeJS.ErrnoException | undefined)?.code ?? '')

/**
 * What `act` gives, or `otherwise` where the system refuses it with one of these codes.
 * @throws every other error
 */
export function unlessCode<T, O = undefined>(codes: readonly string[], act: () => T, otherwise?: O): T | O {
  try {
    return act()
  } catch (error) {
    if (hasCode(error, ...codes)) return otherwise as O
    throw error
  }
}
