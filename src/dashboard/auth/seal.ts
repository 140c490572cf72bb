import { createCipheriv, createDecipheriv, createHash, createHmac, hkdfSync, randomBytes } from 'node:crypto'

/** Purpose of a sealed text. A text sealed for another purpose cannot be opened. */
export type Purpose = 'access' | 'refresh' | 'pkce' | 'known'

const IV_BYTES = 12
const TAG_BYTES = 16

/** Encrypts what browsers keep for us (AES-256-GCM), with keys made from the one in dashboard.key. */
export class Sealer {
  readonly #key: Buffer

  /** 8 hex digits that distinguish this key from others; they reveal nothing about the key. */
  readonly mark: string

  constructor(key: Buffer) {
    this.#key = key
    this.mark = createHash('sha256').update(key).digest('hex').slice(0, 8)
  }

  seal(purpose: Purpose, value: object): string {
    const iv = randomBytes(IV_BYTES)
    const cipher = createCipheriv('aes-256-gcm', this.#keyFor(purpose), iv)
    const text = Buffer.concat([cipher.update(JSON.stringify(value), 'utf8'), cipher.final()])
    return Buffer.concat([iv, text, cipher.getAuthTag()]).toString('base64url')
  }

  /** @returns undefined: it was not sealed here for this purpose */
  open(purpose: Purpose, sealed: string): unknown {
    const bytes = Buffer.from(sealed, 'base64url')
    if (bytes.length <= IV_BYTES + TAG_BYTES) return undefined
    const decipher = createDecipheriv('aes-256-gcm', this.#keyFor(purpose), bytes.subarray(0, IV_BYTES), {
      authTagLength: TAG_BYTES,
    })
    decipher.setAuthTag(bytes.subarray(-TAG_BYTES))
    try {
      const text = Buffer.concat([decipher.update(bytes.subarray(IV_BYTES, -TAG_BYTES)), decipher.final()])
      return JSON.parse(text.toString('utf8'))
    } catch {
      // The tag does not fit: another key's, another purpose's, or made up. All the same to us.
      return undefined
    }
  }

  /** The token of a session; it cannot be derived from the session's id alone. */
  tokenOf(session: string): string {
    return createHmac('sha256', this.#keyFor('token')).update(session).digest('base64url')
  }

  #keyFor(purpose: Purpose | 'token'): Buffer {
    return Buffer.from(hkdfSync('sha256', this.#key, '', `hermes dashboard ${purpose}`, 32))
  }
}
