// Restores a backup and is killed before its N-th rename or rmdir: node restores-home.ts FILE DIR N [rmdir]
import { promises } from 'node:fs'
import { putBack } from '../../../backup/scene.ts'

const [file = '', dir = '', last, call = 'rename'] = process.argv.slice(2)
const { rename, rmdir } = promises
let calls = 0
const count = (name: string): void => {
  if (name === call && ++calls === Number(last)) process.kill(process.pid, 'SIGKILL')
}
promises.rename = async (from, to) => {
  count('rename')
  await rename(from, to)
}
promises.rmdir = async (path) => {
  count('rmdir')
  await rmdir(path)
}
await putBack(file, dir)
