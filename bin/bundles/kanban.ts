// `hermes kanban …`; hermes.cjs loads it when it is asked for.
export { kanbanLine } from '../../src/cli/kanban-line.ts'
