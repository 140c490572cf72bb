import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { priceOf } from '../../src/meter/prices.ts'
import { PriceFile } from '../../src/meter/proxy/price-file.ts'
import { quickScratchDir } from '../support/scratch.ts'

test('requests at the same time all get the prices of a file that was changed, which is read once', async () => {
  const home = quickScratchDir('hermes-prices-')
  const warnings: string[] = []
  const file = new PriceFile(home, (text) => warnings.push(text))
  const inputs = async () =>
    (await Promise.all([file.current(), file.current(), file.current()])).map(
      (prices) => priceOf('gpt-4o', prices)?.input,
    )
  for (const input of [7, 11]) {
    writeFileSync(join(home, 'prices.yaml'), `gpt-4o: {input: ${input}, output: 20}\nwrong: ${'x'.repeat(input)}\n`)
    expect(await inputs()).toEqual([input, input, input])
  }
  expect(warnings).toHaveLength(2)
})
