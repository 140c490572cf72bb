/**
 * Databases as a program that can write the volume may leave them: each blocks a program that opens it in good faith,
 * for long or without end.
 */
import { mkdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { runSync } from '../../../scripts/run.ts'
import { openDatabase } from '../../../src/system/files/sqlite.ts'

/** Makes it under that name; its directory is there. */
export type Plant = (file: string) => void

const fifo = (suffix: string): Plant => {
  return (file) => {
    if (suffix !== '') writeFileSync(file, '')
    runSync('mkfifo', [file + suffix])
  }
}

/** An endless table, by the columns that are asked for. */
const endless = (columns: string): string =>
  `WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT ${columns} FROM c`

const sql =
  (text: string): Plant =>
  (file) => {
    const database = openDatabase(file, { journal: 'keep' })
    database.exec(`PRAGMA foreign_keys = OFF; ${text}`)
    database.close()
  }

/** In the place of any database. */
export const FILES: Readonly<Record<string, Plant>> = {
  'a FIFO': fifo(''),
  'a FIFO as its rollback journal': fifo('-journal'),
  'a FIFO as its WAL': fifo('-wal'),
  'a FIFO as its shared memory': fifo('-shm'),
  'a directory': (file) => mkdirSync(file),
  'a link to itself': (file) => symlinkSync(file, file),
  'a link into /proc': (file) => symlinkSync('/proc/kallsyms', file),
  'an endless device': (file) => symlinkSync('/dev/zero', file),
  '10 GB of nothing': (file) => {
    writeFileSync(file, '')
    truncateSync(file, 10e9)
  },
  rubbish: (file) => writeFileSync(file, 'rubbish '.repeat(1000)),
}

/** In the place of a profile's sessions.db. @param made makes a good one with a conversation in it */
export const sessionsShapes = (made: Plant): Readonly<Record<string, Plant>> => ({
  ...FILES,
  'a view without an end': sql(
    `CREATE VIEW sessions AS ${endless("'s' || x AS id, x AS created_ms, x AS updated_ms")};
     CREATE VIEW messages AS ${endless("x AS id, 's1' AS session, x AS at_ms, '{}' AS message")};
     PRAGMA user_version = 1;`,
  ),
  'a table that no row ever leaves': sql(
    `CREATE VIEW sessions AS ${endless("'s' || x AS id, x AS created_ms, x AS updated_ms")} WHERE x < 0;
     CREATE TABLE messages (id INTEGER PRIMARY KEY, session, at_ms, message); PRAGMA user_version = 1;`,
  ),
  'an instant that no calendar has': (file) => {
    made(file)
    sql("UPDATE sessions SET updated_ms = 9000000000000000000; UPDATE messages SET message = '{'")(file)
  },
  'words for numbers': (file) => {
    made(file)
    sql("UPDATE sessions SET updated_ms = 'x'; UPDATE messages SET message = x'00ff'; UPDATE sessions SET id = x'00'")(
      file,
    )
  },
})

/** In the place of a kanban.db. @param made makes a good one */
export const boardShapes = (made: Plant): Readonly<Record<string, Plant>> => ({
  ...FILES,
  'a view without an end': sql(
    `CREATE VIEW tasks AS ${endless("x AS seq, 't' AS id, 'ready' AS status, '' AS title")} WHERE x < 0;
     PRAGMA user_version = 1;`,
  ),
  'a trigger without an end': (file) => {
    made(file)
    sql(
      `CREATE TABLE sink (x);
       CREATE TRIGGER more AFTER INSERT ON tasks BEGIN INSERT INTO sink ${endless('x')}; END;`,
    )(file)
  },
  'an instant that no calendar has': (file) => {
    made(file)
    sql("UPDATE tasks SET created_at = 9000000000000000000, started_at = 'soon'")(file)
  },
})

/** @param shapes by what they are; each in a directory of its own */
export function plantAll(shapes: Readonly<Record<string, Plant>>, place: (index: number) => string): void {
  Object.values(shapes).forEach((plant, index) => {
    const file = place(index)
    mkdirSync(dirname(file), { recursive: true })
    plant(file)
  })
}
