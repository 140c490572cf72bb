// A process that is killed between two steps of `attach` or `detach`: attach-and-die.ts HOME TASK STEP
import { attach, detach } from '../../../../src/kanban/store/attachments.ts'
import { openBoard } from '../../../../src/kanban/store/board.ts'
import { boardPlace } from '../../../../src/kanban/store/places.ts'

const [, , home = '', id = '', step = ''] = process.argv
const actor = { name: 'tester', wallMs: 1000 }
const board = await openBoard(boardPlace(home, 'default'), { mode: 'write', warn: () => undefined })
const die = (): void => {
  process.kill(process.pid, 'SIGKILL')
}
const original = { attach: board.attach.bind(board), detach: board.detach.bind(board) }
board.attach = (task, file, place, by) => {
  const placing = (): void => {
    if (step === 'before-place') die()
    place()
    die()
  }
  return original.attach(task, file, placing, by)
}
board.detach = (task, name, _, by) => original.detach(task, name, die, by)
if (step === 'before-discard') await detach(board, id, 'kept', actor)
else await attach(board, id, { name: 'new', bytes: Buffer.from('new') }, actor)
