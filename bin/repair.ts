// Gives known files of the volume back to the runtime user. Started by init, as root:
// repair.cjs HOME UID GID DEVICE INODE
import { writeSync } from 'node:fs'
import { describeRepair, repairVolume } from '../src/repair/repair.ts'

const [home = '', uid, gid, dev = '', ino = ''] = process.argv.slice(2)
const facts = { home, uid: Number(uid), gid: Number(gid), id: { dev: BigInt(dev), ino: BigInt(ino) } }
try {
  const repaired = repairVolume(facts)
  const line = describeRepair(facts, repaired)
  if (line !== undefined) writeSync(1, `${line}\n`)
  process.exitCode = repaired.failed > 0 ? 1 : 0
} catch (error) {
  writeSync(1, `the ownership of ${home} cannot be examined: ${(error as Error).message}\n`)
  process.exitCode = 1
}
