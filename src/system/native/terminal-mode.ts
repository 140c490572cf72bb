// Modes of a terminal, in struct termios as Linux has it on every architecture we run on (termios(3)).

const OFFSET = { input: 0, output: 4, control: 8, local: 12, characters: 17 } as const
/** IGNBRK BRKINT PARMRK ISTRIP INLCR IGNCR ICRNL IXON */
const INPUT_BITS = 0o2753
const OPOST = 0o1
/** ISIG ICANON ECHO ECHONL IEXTEN */
const LOCAL_BITS = 0o100113
/** CSIZE PARENB */
const CONTROL_BITS = 0o460
const CS8 = 0o60
const VTIME = 5
const VMIN = 6

const clear = (mode: Buffer, offset: number, bits: number): void => {
  mode.writeUInt32LE((mode.readUInt32LE(offset) & ~bits) >>> 0, offset)
}

/** Like cfmakeraw(3): every byte passes unchanged, in both directions. */
export function rawMode(mode: Buffer): Buffer {
  const raw = rawOutput(mode)
  clear(raw, OFFSET.input, INPUT_BITS)
  clear(raw, OFFSET.local, LOCAL_BITS)
  clear(raw, OFFSET.control, CONTROL_BITS)
  raw.writeUInt32LE(raw.readUInt32LE(OFFSET.control) | CS8, OFFSET.control)
  raw[OFFSET.characters + VMIN] = 1
  raw[OFFSET.characters + VTIME] = 0
  return raw
}

/** A line feed stays one: what comes out is shown on another terminal, which makes CR LF of it. */
export function rawOutput(mode: Buffer): Buffer {
  const raw = Buffer.from(mode)
  clear(raw, OFFSET.output, OPOST)
  return raw
}
