/** Prices of tokens. Pure. */
import { isRecord } from '../system/text/record.ts'
import type { Counted } from './usage.ts'

/** US dollars for a million tokens. */
export interface Price {
  readonly input: number
  /** Of the tokens that the provider had cached. */
  readonly cachedInput: number
  readonly output: number
}

/** By the name of a model; a `*` at the end stands for any rest. */
export type Prices = Readonly<Record<string, Price>>

const price = (input: number, cachedInput: number, output: number): Price => ({ input, cachedInput, output })

/**
 * Prices of OpenAI's standard tier, from public price lists of June 2026 and not from OpenAI itself; older models as
 * last listed. `prices.yaml` comes first.
 */
export const BUILT_IN_PRICES: Prices = {
  'gpt-5.5': price(5, 0.5, 30),
  'gpt-5.4': price(2.5, 0.25, 15),
  'gpt-5.4-mini': price(0.75, 0.075, 4.5),
  'gpt-5.4-nano': price(0.2, 0.02, 1.25),
  'gpt-5': price(1.25, 0.125, 10),
  'gpt-5-mini': price(0.25, 0.025, 2),
  'gpt-5-nano': price(0.05, 0.005, 0.4),
  'gpt-4.1': price(2, 0.5, 8),
  'gpt-4.1-mini': price(0.4, 0.1, 1.6),
  'gpt-4.1-nano': price(0.1, 0.025, 0.4),
  'gpt-4o': price(2.5, 1.25, 10),
  'gpt-4o-mini': price(0.15, 0.075, 0.6),
  o3: price(2, 0.5, 8),
  'o4-mini': price(1.1, 0.275, 4.4),
  'text-embedding-3-large': price(0.13, 0.13, 0),
  'text-embedding-3-small': price(0.02, 0.02, 0),
}

/** A whole number of billionths of a US dollar: sums are exact. */
export const NANOS_PER_USD = 1e9

/**
 * The cost of an answer in {@link NANOS_PER_USD}; undefined for a model without a price.
 * @param asked the model that the request has named; the one that the answer names comes first
 */
export function costNanos({ usage, model }: Counted, asked: string, prices: Prices): number | undefined {
  const found = (model === undefined ? undefined : priceOf(model, prices)) ?? priceOf(asked, prices)
  if (found === undefined) return undefined
  const { inputTokens, cachedTokens, outputTokens } = usage
  const perMillion =
    (inputTokens - cachedTokens) * found.input + cachedTokens * found.cachedInput + outputTokens * found.output
  return Math.round(perMillion * (NANOS_PER_USD / 1e6))
}

/** The exact name, then the longest pattern, then the name without the date of a version (`-2024-08-06`). */
export function priceOf(model: string, prices: Prices): Price | undefined {
  if (Object.hasOwn(prices, model)) return prices[model]
  const pattern = Object.keys(prices)
    .filter((name) => name.endsWith('*') && model.startsWith(name.slice(0, -1)))
    .sort((a, b) => b.length - a.length)[0]
  if (pattern !== undefined) return prices[pattern]
  const undated = model.replace(/-\d{4}-\d{2}-\d{2}$/, '')
  return undated === model ? undefined : priceOf(undated, prices)
}

export interface ReadPrices {
  /** Built-in prices, with the entries of the file in their place. */
  readonly prices: Prices
  /** One line for each entry that is left out. */
  readonly problems: readonly string[]
}

/** @param value what YAML gave; undefined where there is no file. @param file for the problems */
export function readPrices(value: unknown, file: string): ReadPrices {
  if (value === undefined || value === null) return { prices: BUILT_IN_PRICES, problems: [] }
  if (!isRecord(value))
    return { prices: BUILT_IN_PRICES, problems: [`${file}: expected a map of models, such as ${EXAMPLE}`] }
  const prices: Record<string, Price> = { ...BUILT_IN_PRICES }
  const problems: string[] = []
  for (const [model, entry] of Object.entries(value)) {
    const read = readPrice(entry)
    if (read !== undefined) prices[model] = read
    else problems.push(`${file}: ${JSON.stringify(model.slice(0, 80))}: expected ${FORM}; the entry is left out`)
  }
  return { prices, problems }
}

const FORM = '{input: US dollars for a million tokens, output: likewise, cached_input: likewise, if it differs}'
const EXAMPLE = '"my-model: {input: 0.5, output: 1.5}"'

function readPrice(entry: unknown): Price | undefined {
  if (!isRecord(entry)) return undefined
  const { input, output, cached_input: cachedInput = input, ...others } = entry
  if (!isAmount(input) || !isAmount(output) || !isAmount(cachedInput)) return undefined
  return Object.keys(others).length === 0 ? price(input, cachedInput, output) : undefined
}

const isAmount = (value: unknown): value is number => typeof value === 'number' && value >= 0 && value <= 1e6
