/** The signals of Linux by name, as the protocols and settings write them: without SIG. */
export const SIGNALS = {
  HUP: 1,
  INT: 2,
  QUIT: 3,
  ILL: 4,
  TRAP: 5,
  ABRT: 6,
  BUS: 7,
  FPE: 8,
  KILL: 9,
  USR1: 10,
  SEGV: 11,
  USR2: 12,
  PIPE: 13,
  ALRM: 14,
  TERM: 15,
  STKFLT: 16,
  CHLD: 17,
  CONT: 18,
  STOP: 19,
  TSTP: 20,
  TTIN: 21,
  TTOU: 22,
  URG: 23,
  XCPU: 24,
  XFSZ: 25,
  VTALRM: 26,
  PROF: 27,
  WINCH: 28,
  IO: 29,
  PWR: 30,
  SYS: 31,
  // Real-time signals as the C library numbers them. It keeps the two below RTMIN to itself, but any process can send
  // them.
  'RTMIN-2': 32,
  'RTMIN-1': 33,
  RTMIN: 34,
  'RTMIN+1': 35,
  'RTMIN+2': 36,
  'RTMIN+3': 37,
  'RTMIN+4': 38,
  'RTMIN+5': 39,
  'RTMIN+6': 40,
  'RTMIN+7': 41,
  'RTMIN+8': 42,
  'RTMIN+9': 43,
  'RTMIN+10': 44,
  'RTMIN+11': 45,
  'RTMIN+12': 46,
  'RTMIN+13': 47,
  'RTMIN+14': 48,
  'RTMIN+15': 49,
  'RTMIN+16': 50,
  'RTMIN+17': 51,
  'RTMIN+18': 52,
  'RTMIN+19': 53,
  'RTMIN+20': 54,
  'RTMIN+21': 55,
  'RTMIN+22': 56,
  'RTMIN+23': 57,
  'RTMIN+24': 58,
  'RTMIN+25': 59,
  'RTMIN+26': 60,
  'RTMIN+27': 61,
  'RTMIN+28': 62,
  'RTMIN+29': 63,
  'RTMIN+30': 64,
} as const
export type SignalName = keyof typeof SIGNALS

/** The name of a signal number, 1 to 64; others have none. */
export const signalName = (number: number): SignalName | undefined =>
  (Object.keys(SIGNALS) as SignalName[]).find((name) => SIGNALS[name] === number)

/** `TERM`, `term`, `SIGTERM` and `15` all name the same signal. */
export function parseSignal(text: string): SignalName | undefined {
  const name = text.trim().toUpperCase().replace(/^SIG/, '')
  if (/^\d{1,2}$/.test(name)) return signalName(Number(name))
  return Object.hasOwn(SIGNALS, name) ? (name as SignalName) : undefined
}

export const isSignal = (value: unknown): value is SignalName =>
  typeof value === 'string' && Object.hasOwn(SIGNALS, value)
