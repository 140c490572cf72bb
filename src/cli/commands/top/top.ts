import { EXIT } from '../../../system/errors.ts'
import type { Command } from '../../context/command.ts'
import type { Context } from '../../context/context.ts'
import { endedBy, type Outcome } from '../../terminal/output.ts'
import { requireScreen } from '../../terminal/screen.ts'

export const TOP_COMMANDS: readonly Command[] = [
  {
    path: 'top',
    summary: 'Show all slots live on a terminal, and start, stop and restart them by keys',
    details: `Each slot is shown with its state, CPU, memory, restarts and the end of its log. ? shows the keys. In a container:
docker exec -it NAME hermes top.`,
    exits: { [EXIT.noSupervisor]: 'the supervisor is not running' },
    run: top,
  },
]

async function top(context: Context): Promise<Outcome> {
  requireScreen('hermes top', context.env, 'hermes status prints once; with docker exec, add -it')
  const { runTop } = await import('../../top/program.ts')
  return endedBy(await runTop(context))
}
