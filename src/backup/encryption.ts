/** Encryption with a passphrase, in the format of age (https://age-encryption.org/v1). The library comes when needed. */
import { Readable } from 'node:stream'
import type { ReadableStream } from 'node:stream/web'
import { HermesError } from '../system/errors.ts'

const HEAD = Buffer.from('age-encryption.org/v1\n')
export const HEAD_BYTES = HEAD.length

/** @param head the first {@link HEAD_BYTES} of a file */
export const isEncrypted = (head: Buffer): boolean => head.equals(HEAD)

/** The key is made of the passphrase with scrypt, which takes about a second and 256 MB. */
export async function encrypted(plain: Readable, passphrase: string): Promise<Readable> {
  const { Encrypter } = await import('age-encryption')
  const encrypter = new Encrypter()
  encrypter.setPassphrase(passphrase)
  return fromWeb(await encrypter.encrypt(toWeb(plain)))
}

/** @throws HermesError FAILED: the passphrase is another one, or the file is damaged at its beginning */
export async function decrypted(cipher: Readable, passphrase: string, file: string): Promise<Readable> {
  const { Decrypter } = await import('age-encryption')
  const decrypter = new Decrypter()
  decrypter.addPassphrase(passphrase)
  try {
    return fromWeb(await decrypter.decrypt(toWeb(cipher)))
  } catch (error) {
    cipher.destroy()
    throw new HermesError(
      'FAILED',
      `${file} cannot be decrypted: the passphrase is wrong, or its beginning is damaged`,
      {
        next: 'check HERMES_BACKUP_PASSPHRASE_FILE; nothing was written',
        cause: error,
      },
    )
  }
}

// The library has the types of browsers.
const toWeb = (stream: Readable) =>
  Readable.toWeb(stream) as unknown as globalThis.ReadableStream<Uint8Array<ArrayBuffer>>
const fromWeb = (stream: unknown): Readable => Readable.fromWeb(stream as ReadableStream)
