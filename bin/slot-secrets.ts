// Fetches a slot's secrets. Started by its run script: slot-secrets.cjs FACTS PID; by the supervisor, to look whether
// they have changed: slot-secrets.cjs FACTS PID NAME…
import { writeSync } from 'node:fs'
import { printChanges, printSecrets, type SlotSecretsFacts } from '../src/profile/environment/slot-secrets.ts'
import { systemClock } from '../src/system/clock.ts'

const [facts = '', pid, ...names] = process.argv.slice(2)
const write = (fd: number) => (text: string) => {
  const bytes = Buffer.from(text)
  for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done)
}
const own = { env: process.env, clock: systemClock(), out: write(1), err: write(2) }
const parsed = JSON.parse(facts) as SlotSecretsFacts
const work =
  names.length > 0
    ? printChanges(parsed, Number(pid), names, own).then(() => 0)
    : printSecrets(parsed, Number(pid), own)
void work.then((code) => process.exit(code))
