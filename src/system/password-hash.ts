import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto'

/**
 * `scrypt:15:8:1:<salt>:<hash>`: log2 of the cost, block size, parallelization, and both in base64url. Colons, not the
 * usual dollar signs: Compose and shells would take those for variables.
 */
export interface PasswordHash {
  readonly cost: number
  readonly blockSize: number
  readonly parallelization: number
  readonly salt: Buffer
  readonly hash: Buffer
}

/** 32 MB and some 80 ms (RFC 7914). */
const USUAL = { cost: 15, blockSize: 8, parallelization: 1 }
const SALT_BYTES = 16
const HASH_BYTES = 32
const FORMAT = /^scrypt:(\d{1,2}):(\d{1,2}):(\d{1,2}):([A-Za-z0-9_-]{11,86}):([A-Za-z0-9_-]{22,86})$/

/** @returns undefined if the text is not such a hash, or if checking it would take longer than a log-in may */
export function parsePasswordHash(text: string): PasswordHash | undefined {
  const [, cost, blockSize, parallelization, salt = '', hash = ''] = FORMAT.exec(text.trim()) ?? []
  const found = { cost: Number(cost), blockSize: Number(blockSize), parallelization: Number(parallelization) }
  const inRange =
    found.cost >= 10 &&
    found.cost <= 17 &&
    found.blockSize >= 1 &&
    found.blockSize <= 16 &&
    found.parallelization >= 1 &&
    found.parallelization <= 4
  return inRange ? { ...found, salt: Buffer.from(salt, 'base64url'), hash: Buffer.from(hash, 'base64url') } : undefined
}

export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(SALT_BYTES)
  const hash = await derive(password, { ...USUAL, salt }, HASH_BYTES)
  const { cost, blockSize, parallelization } = USUAL
  return `scrypt:${cost}:${blockSize}:${parallelization}:${salt.toString('base64url')}:${hash.toString('base64url')}`
}

export const passwordMatches = async (password: string, known: PasswordHash): Promise<boolean> =>
  timingSafeEqual(await derive(password, known, known.hash.length), known.hash)

function derive(
  password: string,
  { cost, blockSize, parallelization, salt }: Omit<PasswordHash, 'hash'>,
  bytes: number,
): Promise<Buffer> {
  const N = 2 ** cost
  const options = { N, r: blockSize, p: parallelization, maxmem: 2 * 128 * N * blockSize }
  return new Promise((resolve, reject) => {
    scrypt(password.normalize('NFC'), salt, bytes, options, (error, hash) => (error ? reject(error) : resolve(hash)))
  })
}
