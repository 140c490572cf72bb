import { spawn } from 'node:child_process'
import { expect, test } from 'vitest'
import {
  descendants,
  listProcesses,
  type ProcessFacts,
  parseStat,
  readProcess,
} from '../../../src/system/programs/proc.ts'
import { waitFor } from '../../support/wait.ts'

test('the name in parentheses may hold anything, also parentheses and spaces', () => {
  const stat = '42 (a) b (c) S 7 8 9 34816 1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 987654 1 2'
  expect(parseStat(42, stat)).toEqual({
    pid: 42,
    comm: 'a) b (c',
    state: 'S',
    ppid: 7,
    pgrp: 8,
    session: 9,
    terminal: 34816,
    foreground: 1,
    startTime: 987654,
    cpuTicks: 11,
    waitedTicks: 15,
    residentPages: 2,
  })
})

test('our own facts are those of the kernel', () => {
  expect(readProcess(process.pid)).toMatchObject({ pid: process.pid, ppid: process.ppid })
})

test('a process that is not there is undefined', () => {
  expect(readProcess(2 ** 22 + 1)).toBeUndefined()
})

test('the list holds living processes and zombies', async () => {
  const child = spawn('sleep', ['1000'])
  const ended = new Promise((resolve) => child.once('exit', resolve))
  const found = await waitFor('it in the list', () => listProcesses().find(({ pid }) => pid === child.pid))
  expect(found).toMatchObject({ ppid: process.pid, comm: 'sleep' })
  child.kill('SIGKILL')
  await ended
})

test('descendants are all below a process, parents first, itself not among them', () => {
  const one = (pid: number, ppid: number): ProcessFacts => ({
    pid,
    ppid,
    comm: '',
    state: 'S',
    pgrp: 0,
    session: 0,
    terminal: 0,
    foreground: -1,
    startTime: 0,
    cpuTicks: 0,
    waitedTicks: 0,
    residentPages: 0,
  })
  const all = [one(1, 0), one(5, 4), one(2, 1), one(3, 2), one(4, 3), one(9, 1)]
  expect(descendants(all, 2).map(({ pid }) => pid)).toEqual([3, 4, 5])
  expect(descendants(all, 9)).toEqual([])
  // A chain of a hundred thousand generations, and a circle that a process table in motion may show.
  const chain = Array.from({ length: 100_000 }, (_, i) => one(i + 2, i + 1))
  expect(descendants(chain, 1)).toEqual(chain)
  expect(descendants([one(2, 3), one(3, 2)], 2).map(({ pid }) => pid)).toEqual([3])
})
