import { describe, expect, test } from 'vitest'
import { CHAINS, DEPTH, startMany, upTimes } from '../../support/supervisor/many-services.ts'
import { whyNoNamespace } from '../../support/supervisor/namespace.ts'
import { stretchedMs } from '../../support/wait.ts'

const why = whyNoNamespace() ?? (process.getuid?.() === 0 ? undefined : 'needs root')

describe.skipIf(why !== undefined)(`200 services, 10 deep (${why ?? 'as root, PID 1 of a namespace'})`, () => {
  test.each(['yaml', 's6-rc'] as const)(
    '%s: all come up, each after what it needs, and all stop in time',
    async (as) => {
      await using box = await startMany(as)
      const order = [...(await upTimes(box)).keys()]
      for (let chain = 0; chain < CHAINS; chain++) {
        const chained = order.filter((name) => name.startsWith(`s${chain}-`))
        expect(chained).toEqual(Array.from({ length: DEPTH }, (_, depth) => `s${chain}-${DEPTH - 1 - depth}`))
      }
      expect(await box.stop()).toEqual({ code: 0 })
      expect(box.pid1.stderr()).not.toMatch(/so killed|it is killed/)
    },
  )

  // Their own start times are those of as many services that do not wait. That it is less than 2 s is a row of the
  // bench; on a busy machine only a pause in every step takes so long.
  test('that they wait for each other takes little', async () => {
    const takes = async (deep: number): Promise<number> => {
      await using box = await startMany('yaml', undefined, deep)
      const times = [...(await upTimes(box)).values()]
      return Math.max(...times) - Math.min(...times)
    }
    const alone = await takes(1)
    expect((await takes(DEPTH)) - alone).toBeLessThan(stretchedMs(8000))
  })
})
