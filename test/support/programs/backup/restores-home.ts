// Restores a backup and is killed before it renames for the N-th time: node restores-home.ts FILE DIR N
import { promises } from 'node:fs'
import { putBack } from '../../../backup/scene.ts'

const [file = '', dir = '', last] = process.argv.slice(2)
const { rename } = promises
let renames = 0
promises.rename = async (from, to) => {
  renames += 1
  if (renames === Number(last)) process.kill(process.pid, 'SIGKILL')
  await rename(from, to)
}
await putBack(file, dir)
