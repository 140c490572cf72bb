// Reads the services that the image defines and prints them as one JSON table. Started by init, as root:
// services.cjs FACTS
import { writeSync } from 'node:fs'
import { type ReaderFacts, readServices, SOURCES } from '../src/services/io/read.ts'

const facts = JSON.parse(process.argv[2] ?? '') as ReaderFacts
const text = Buffer.from(JSON.stringify(readServices(SOURCES, facts)))
for (let done = 0; done < text.length; ) done += writeSync(1, text, done)
