// Writes "line <n> of <name>" as many times a second as it is told, by the clock, so that a busy machine does not slow
// it down. usage: thousand-lines.cjs NAME [LINES-A-SECOND, default 1000]
const [name, rate = '1000'] = process.argv.slice(2)
const startedAtMs = performance.now()
let written = 0
setInterval(() => {
  const due = Math.floor(((performance.now() - startedAtMs) * Number(rate)) / 1000)
  let text = ''
  while (written < due) text += `line ${++written} of ${name}\n`
  if (text !== '') process.stdout.write(text)
}, 20)
