import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { memoryDisk, NO_MOUNT } from '../support/hostile/memory-disk.ts'
import { LogScene } from './scene.ts'

const line = (i: number): string => `line ${i} ${'x'.repeat(90)}\n`

test('on a full disk services run on, a warning comes once a minute, and logging resumes by itself', async (context) => {
  using disk = memoryDisk()
  if (!disk) return context.skip(NO_MOUNT)
  await using scene = new LogScene({ dir: join(disk.path, 'logs') })
  const ballast = join(disk.path, 'ballast')
  writeFileSync(ballast, Buffer.alloc(1_800_000))
  let written = 0
  const writeFor = (ms: number): void => {
    for (const untilMs = scene.clock.nowMs() + ms; scene.clock.nowMs() < untilMs; scene.clock.advance(20)) {
      for (let i = 0; i < 5; i++) scene.write(line(written++))
    }
  }
  writeFor(50_000)
  expect(scene.warnings).toHaveLength(1)
  expect(scene.warnings[0]).toMatch(
    /^cannot write .*\/logs\/current: ENOSPC.*; lines lost so far: \d+\. Processes keep running; free some space/,
  )
  writeFor(180_000)
  expect(scene.warnings).toHaveLength(4)
  expect(scene.copied.length).toBe(written) // the console copy missed nothing

  rmSync(ballast)
  writeFor(1000)
  // The lines that exist are whole and in order. The missing ones are counted, gap by gap.
  let next = 0
  let lost = 0
  for (const text of scene.text().trimEnd().split('\n')) {
    const gap = /^hermes: lines missing here: (\d+); they could not be written: ENOSPC/.exec(text)
    if (gap) lost += Number(gap[1])
    else expect(`${text}\n`).toBe(line(next + lost))
    if (!gap) next++
  }
  expect(next + lost).toBe(written)
  scene.clock.advance(60_000)
  expect(scene.warnings).toHaveLength(5)
  expect(scene.warnings[4]).toContain(`written again; lines lost: ${lost}`)
  scene.clock.advance(600_000)
  expect(scene.warnings).toHaveLength(5)
})

test('a disk that fills while a line is unfinished loses that line as a whole, and counts it', async (context) => {
  using disk = memoryDisk()
  if (!disk) return context.skip(NO_MOUNT)
  await using scene = new LogScene({ dir: join(disk.path, 'logs') })
  scene.write('whole\nbegun ')
  const ballast = disk.fill()
  scene.write('x'.repeat(8192))
  scene.clock.advance(1000)
  scene.write('still the same line\n')
  rmSync(ballast)
  scene.clock.advance(1000)
  scene.write('next\n')
  expect(scene.text()).toMatch(/^whole\nhermes: lines missing here: 1; [^\n]*\nnext\n$/)
})

test('a disk that turns read-only and back is survived in the same way', async (context) => {
  using disk = memoryDisk()
  if (!disk) return context.skip(NO_MOUNT)
  await using scene = new LogScene({ dir: join(disk.path, 'logs'), maxBytes: 100 })
  scene.write('one\n')
  await scene.log.close() // a file that is open for writing keeps the file system from being remounted
  disk.remount('ro')
  scene.log = scene.open(false)
  scene.write('two\nthree\n')
  expect(scene.warnings).toHaveLength(1)
  expect(scene.warnings[0]).toContain('EROFS')
  disk.remount('rw')
  scene.clock.advance(1000)
  scene.write('four\n')
  expect(scene.text()).toMatch(/^one\nhermes: lines missing here: 2; [^\n]*\nfour\n$/)
})
