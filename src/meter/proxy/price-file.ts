import { join } from 'node:path'
import { configSignature } from '../../profile/config/config.ts'
import { readSmallFile } from '../../system/files/small-file.ts'
import { BUILT_IN_PRICES, type Prices, type ReadPrices, readPrices } from '../prices.ts'

const MAX_PRICES_BYTES = 256 * 1024

export const pricesFile = (home: string): string => join(home, 'prices.yaml')

/** Reads `prices.yaml`. Never throws: what cannot be read is a problem, and the built-in prices count. */
export async function loadPrices(home: string): Promise<ReadPrices> {
  const file = pricesFile(home)
  const { text, problem } = readSmallFile(file, MAX_PRICES_BYTES)
  if (problem !== undefined) return { prices: BUILT_IN_PRICES, problems: [`${file} ${problem}`] }
  if (text === undefined) return { prices: BUILT_IN_PRICES, problems: [] }
  try {
    // Loaded only where there is such a file.
    const { parse } = await import('yaml')
    return readPrices(parse(text, { maxAliasCount: 0, prettyErrors: true }) as unknown, file)
  } catch (error) {
    const [line = ''] = (error as Error).message.split('\n')
    return { prices: BUILT_IN_PRICES, problems: [`${file}: expected YAML: ${line}`] }
  }
}

/** The prices in force: the file is read again after a change. */
export class PriceFile {
  readonly #home: string
  readonly #warn: (text: string) => void
  #signature: string | undefined
  #prices: Promise<Prices> | undefined

  constructor(home: string, warn: (text: string) => void) {
    this.#home = home
    this.#warn = warn
  }

  /** An unchanged file costs one stat. Requests at the same time wait for one reading of a changed one. */
  current(): Promise<Prices> {
    const signature = configSignature(pricesFile(this.#home))
    if (this.#prices === undefined || signature !== this.#signature) {
      this.#signature = signature
      this.#prices = this.#read()
    }
    return this.#prices
  }

  async #read(): Promise<Prices> {
    const { prices, problems } = await loadPrices(this.#home)
    for (const problem of problems) this.#warn(problem)
    return prices
  }
}
