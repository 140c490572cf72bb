// Reads the files of NAME_FILE variables and prints their contents as one line of JSON. Started by init, as root:
// secrets.cjs FACTS
import { writeSync } from 'node:fs'
import { readSecrets, type SecretReaderFacts } from '../src/init/boot/secret-reader.ts'

const facts = JSON.parse(process.argv[2] ?? '') as SecretReaderFacts
const text = Buffer.from(JSON.stringify(readSecrets(facts)))
for (let done = 0; done < text.length; ) done += writeSync(1, text, done)
