// Opens a terminal on which a program of another user runs beside one of our own, ends it, and says how that went.
import { openPty } from '../../../src/dashboard/terminal/pty.ts'
import { systemClock } from '../../../src/system/clock.ts'
import { listProcesses } from '../../../src/system/programs/proc.ts'
import { waitFor } from '../wait.ts'

const [uid = ''] = process.argv.slice(2)
// It ends by itself: where this fails, nothing else ends it. HUP comes from the kernel too, when the terminal goes.
const theirProgram = `trap "" HUP; echo theirs $$; exec sleep 60`
const script = `setpriv --reuid=${uid} --clear-groups sh -c '${theirProgram}' & echo ours $$; wait`
const pty = await openPty(
  { command: ['sh', '-c', script], cwd: '/', env: { PATH: process.env.PATH ?? '' }, cols: 80, rows: 24 },
  systemClock(),
)
let text = ''
pty.onData((bytes) => {
  text += bytes.toString('utf8')
})
const pidOf = (whose: string): number => Number(new RegExp(`${whose} (\\d+)`).exec(text)?.[1] ?? 0)
await waitFor('both programs', () => pidOf('ours') > 0 && pidOf('theirs') > 0)
const ended = new Promise<void>((resolve) => pty.onExit(resolve))
pty.end()
await ended
const theirsLives = listProcesses().some(({ pid }) => pid === pidOf('theirs'))
console.log(JSON.stringify({ theirs: pidOf('theirs'), theirsLives }))
