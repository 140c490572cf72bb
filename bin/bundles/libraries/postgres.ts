// The client of PostgreSQL with the boards there: loaded only by a program whose board is in a database.
export { databaseBoards } from '../../../src/kanban/postgres/database-boards.ts'
