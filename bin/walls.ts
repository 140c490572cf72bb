// Looks at the walls between profiles and gives each its files. Started by init, as root: walls.cjs FACTS
import { writeSync } from 'node:fs'
import { lookAtWalls, type WallsLookFacts } from '../src/repair/walls.ts'

const facts = JSON.parse(process.argv[2] ?? '') as WallsLookFacts
const text = Buffer.from(JSON.stringify(lookAtWalls(facts)))
for (let done = 0; done < text.length; ) done += writeSync(1, text, done)
