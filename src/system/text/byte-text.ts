import { isUtf8 } from 'node:buffer'

// Values of an environment are bytes. Decoded as UTF-8, an invalid byte becomes a lone surrogate, U+DC80 to U+DCFF,
// which valid text never contains, and encoding turns it back into the byte (like Python's "surrogateescape").

const ESCAPED = 0xdc00

/** Lossless: `encodeBytes` returns the same bytes. */
export function decodeBytes(bytes: Buffer): string {
  if (isUtf8(bytes)) return bytes.toString('utf8')
  let text = ''
  for (let at = 0; at < bytes.length; ) {
    const first = bytes[at] ?? 0
    const length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4
    const one = bytes.subarray(at, at + length)
    if (one.length === length && isUtf8(one)) {
      text += one.toString('utf8')
      at += length
    } else {
      text += String.fromCharCode(ESCAPED + first)
      at += 1
    }
  }
  return text
}

export function encodeBytes(text: string): Buffer {
  if (text.isWellFormed()) return Buffer.from(text)
  const parts: Buffer[] = []
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0
    parts.push(code >= ESCAPED + 0x80 && code <= ESCAPED + 0xff ? Buffer.of(code - ESCAPED) : Buffer.from(character))
  }
  return Buffer.concat(parts)
}
