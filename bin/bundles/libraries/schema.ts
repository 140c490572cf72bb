// Results of tasks by their schemas: loaded only by a command that has one.
export { parseResult, parseSchema } from '../../../src/kanban/handover/result-schema.ts'
