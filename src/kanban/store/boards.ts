/** The one place that decides where the boards of an installation are kept. */
import type { Boards } from '../port/boards.ts'
import { FileBoards } from './file-boards.ts'

export interface BoardsFacts {
  readonly home: string
}

export const findBoards = ({ home }: BoardsFacts): Boards => new FileBoards(home)
