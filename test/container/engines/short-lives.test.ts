// Containers that live for one command: what a script sees of `docker run --rm IMAGE COMMAND`. Whole: npm run long --
// short-lives
import { expect, test } from 'vitest'
import { dockerCommand, keptHome } from '../../support/container/container.ts'
import { testImage } from '../../support/container/image.ts'
import { size } from '../../support/size.ts'
import type { Finished } from '../../support/supervisor/namespace.ts'

const HI = ['sh', '-c', 'echo hi']
/** The one line of a volume that is new. */
const NEW = /^hermes: new in \/opt\/data: [^\n]*\n$/

/** `docker run --rm`, with `--volume` where one is named; else on a new volume. */
const life = async (args: readonly string[], ...options: string[]): Promise<Finished> =>
  dockerCommand(['run', '--rm', ...options, await testImage(), ...args])

/** Lives that printed anything but `hi` or ended with anything but 0. */
const disorderly = (lives: readonly Finished[], stderr: RegExp): readonly Finished[] =>
  lives.filter((one) => one.code !== 0 || one.stdout !== 'hi\n' || !stderr.test(one.stderr))

/** So many lives, one after the other. */
async function inARow(count: number, options: readonly string[] = []): Promise<readonly Finished[]> {
  const lives: Finished[] = []
  for (let i = 0; i < count; i++) lives.push(await life(HI, ...options))
  return lives
}

/** A named volume that goes at the end of the block. */
const namedVolume = (): { readonly name: string } & AsyncDisposable => {
  const name = `hermes-short-${process.pid}-${performance.now().toFixed(3)}`
  return { name, [Symbol.asyncDispose]: async () => void (await dockerCommand(['volume', 'rm', '--force', name])) }
}

test('a command says what it says, and the container adds nothing but that its volume is new', async () => {
  expect(disorderly(await inARow(size(60, 500)), NEW)).toEqual([])
})

test('four at a time say as little', async () => {
  const rows = await Promise.all([1, 2, 3, 4].map(() => inARow(size(10, 60))))
  expect(disorderly(rows.flat(), NEW)).toEqual([])
})

test('on a volume that has been used the container says nothing', async () => {
  await using volume = namedVolume()
  const options = ['--volume', `${volume.name}:/opt/data`]
  const [first, ...later] = await inARow(size(10, 60), options)
  expect(first?.stderr).toMatch(NEW)
  expect(disorderly(later, /^$/)).toEqual([])
})

test('on a new directory of the host it says that the directory is filled, and then nothing', async () => {
  using home = keptHome()
  const [first, ...later] = await inARow(size(5, 30), ['--volume', `${home.path}:/opt/data`])
  expect(first?.stderr).toMatch(/^hermes: [^\n]*\/opt\/data[^\n]*\n/)
  expect(first?.stderr).not.toMatch(/warning|error/)
  expect(disorderly(later, /^$/)).toEqual([])
})

test('the main program finds the volume filled and every profile registered, at the first boot and at later ones', async () => {
  // Facts that it sees in its first millisecond, without a request.
  const looks = [
    'sh',
    '-c',
    'cd /opt/data && ls config.yaml .env && ls -d profiles /run/service/gateway-default && grep -c profile=default logs/container-boot.log',
  ]
  for (let i = 0; i < size(5, 20); i++) {
    await using volume = namedVolume()
    for (const boot of [1, 2, 3]) {
      const { code, stdout, stderr } = await life(looks, '--volume', `${volume.name}:/opt/data`)
      expect({ code, stdout, stderr }).toEqual({
        code: 0,
        stdout: `.env\nconfig.yaml\n/run/service/gateway-default\nprofiles\n${boot}\n`,
        stderr: boot === 1 ? expect.stringMatching(NEW) : '',
      })
    }
  }
})
