import type { Task } from '../../../contract/board.ts'
import { Ago } from '../../parts/time.tsx'

interface CardProps {
  readonly task: Task
  readonly lifted: boolean
  readonly tabbable: boolean
  readonly onFocus: () => void
  readonly onKeyDown: (event: KeyboardEvent) => void
  readonly onPress: (event: PointerEvent) => void
  readonly onOpen: () => void
}

/** A task on the board. */
export function Card({ task, lifted, tabbable, onFocus, onKeyDown, onPress, onOpen }: CardProps) {
  return (
    <li class="card-place">
      <button
        type="button"
        class={`card${lifted ? ' lifted' : ''}`}
        data-card={task.id}
        tabIndex={tabbable ? 0 : -1}
        aria-roledescription="card"
        onFocus={onFocus}
        onKeyDown={onKeyDown}
        onPointerDown={onPress}
        onClick={onOpen}
      >
        <span class="card-title">{task.title}</span>
        {task.last_error !== undefined && task.status === 'blocked' && (
          <span class="card-error">{task.last_error}</span>
        )}
        <span class="card-foot">
          <span>
            <span class={task.assignee === null ? 'assignee unassigned' : 'assignee'}>
              {task.assignee ?? 'unassigned'}
            </span>
            {task.priority !== 0 && <span class="priority number">P{task.priority}</span>}
            {(task.failures ?? 0) > 0 && <span class="failures number">×{task.failures}</span>}
          </span>
          <span class="muted">
            <span class="mono">{task.id}</span>
            {task.created_at && <Ago at={task.completed_at ?? task.started_at ?? task.created_at} />}
          </span>
        </span>
      </button>
    </li>
  )
}
