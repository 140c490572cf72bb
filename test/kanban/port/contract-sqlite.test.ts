import { rmSync } from 'node:fs'
import type { Board } from '../../../src/kanban/port/board.ts'
import { openBoard } from '../../../src/kanban/store/board.ts'
import { boardPlace } from '../../../src/kanban/store/places.ts'
import { quickDir } from '../../support/quick-dir.ts'
import { boardContract, type ContractScene } from './contract.ts'
import { handoverContract } from './handover-contract.ts'
import { transferContract } from './transfer-contract.ts'
import { upkeepContract } from './upkeep-contract.ts'

const openScene = async (): Promise<ContractScene> => {
  const home = quickDir('hermes-contract-')
  const opened: Board[] = []
  const open = async (mode: 'create' | 'write'): Promise<Board> => {
    const board = await openBoard(boardPlace(home, 'default'), { mode, warn: () => undefined })
    opened.push(board)
    return board
  }
  return {
    board: await open('create'),
    address: ['sqlite', home],
    another: () => open('write'),
    async [Symbol.asyncDispose]() {
      for (const board of opened) await board.close()
      rmSync(home, { recursive: true, force: true })
    },
  }
}

boardContract('SQLite', openScene)
handoverContract('SQLite', openScene)
transferContract('SQLite', openScene)
upkeepContract('SQLite', openScene)
