/**
 * Cuts a text into pieces, never between the two halves of a character: a half alone does not survive being sent.
 * @param maxChars of a piece in UTF-16 units, 2 or more
 */
export function piecesOf(text: string, maxChars: number): readonly string[] {
  const pieces: string[] = []
  let from = 0
  while (from < text.length) {
    let to = Math.min(from + maxChars, text.length)
    if (to < text.length && isHighSurrogate(text.charCodeAt(to - 1))) to -= 1
    pieces.push(text.slice(from, to))
    from = to
  }
  return pieces
}

const isHighSurrogate = (unit: number): boolean => unit >= 0xd800 && unit < 0xdc00
