// Gateways go on, whatever happens to the board: their own account, and where they are up at the end. Pure.
import type { Violation } from './checker.ts'

/** A gateway as it has seen itself. Instants are those of the machine's clock, ms. */
export interface GatewayLife {
  readonly node: string
  readonly profile: string
  readonly beganAtMs: number
  /** Its last word. */
  readonly lastAtMs: number
}

export interface GatewayFacts {
  /** Every profile, its node, and whether its gateway is to run. */
  readonly gateways: readonly { readonly profile: string; readonly node: string; readonly wanted: boolean }[]
  /** Gateways that are up at the end, as each node says. */
  readonly up: readonly { readonly profile: string; readonly node: string }[]
  readonly gatewayLives: readonly GatewayLife[]
  /** How often each container was killed: only that ends a gateway. */
  readonly kills: ReadonlyMap<string, number>
}

const LINE = /^(began|lives|stopped) (\d+\.\d+) pid=(\d+) profile=(\S+)$/

/**
 * @param text lines `began|lives|stopped SECONDS pid=PID profile=PROFILE`; the last one may be torn by a crash
 * @throws Error for a line that no gateway has written
 */
export function readGateways(node: string, text: string): readonly GatewayLife[] {
  const all: GatewayLife[] = []
  /** Where the life of a process is in `all`: pids come again in the next life of a container. */
  const places = new Map<string, number>()
  for (const [index, line] of text.split('\n').slice(0, -1).entries()) {
    const [, word = '', seconds = '', pid = '', profile = ''] = LINE.exec(line) ?? []
    if (word === '') throw new Error(`line ${index + 1} of the gateways of ${node}: ${JSON.stringify(line)}`)
    const [key, atMs] = [`${pid} ${profile}`, Number(seconds) * 1000]
    const place = word === 'began' ? undefined : places.get(key)
    const life = place === undefined ? undefined : all[place]
    if (place !== undefined && life !== undefined) all[place] = { ...life, lastAtMs: atMs }
    else places.set(key, all.push({ node, profile, beganAtMs: atMs, lastAtMs: atMs }) - 1)
  }
  return all
}

export function gatewayViolations(facts: GatewayFacts): readonly Violation[] {
  return facts.gateways.flatMap(({ profile, node, wanted }): readonly Violation[] => {
    const violation = (rule: Violation['rule'], text: string): Violation => ({ rule, task: `gateway ${profile}`, text })
    const upOn = facts.up.filter((one) => one.profile === profile).map((one) => one.node)
    const lives = facts.gatewayLives
      .filter((life) => life.profile === profile)
      .toSorted((a, b) => a.beganAtMs - b.beganAtMs)
    const most = wanted ? 1 + (facts.kills.get(node) ?? 0) : 0
    const overlap = lives.find((life, index) => (lives[index - 1]?.lastAtMs ?? 0) > life.beganAtMs)
    return [
      ...(wanted && upOn.length === 0 ? [violation('a gateway is not up', `it is wanted on ${node}`)] : []),
      ...(upOn.some((one) => one !== node || !wanted)
        ? [violation('a gateway where none is wanted', `it is up on ${upOn.join(' and ')}`)]
        : []),
      ...(lives.length > most
        ? [violation('a gateway was restarted', `it began ${lives.length} times; expected ${most} at most`)]
        : []),
      ...(overlap === undefined
        ? []
        : [violation('two live gateways', `one began on ${overlap.node} while an earlier one lived`)]),
    ]
  })
}

/** A line for people. */
export function gatewayFigure({ gateways, up, gatewayLives, kills }: GatewayFacts): string {
  const wanted = gateways.filter((one) => one.wanted)
  const isUp = wanted.filter(({ profile }) => up.some((one) => one.profile === profile))
  const deaths = [...kills.values()].reduce((sum, one) => sum + one, 0)
  const restarts = gatewayLives.length - wanted.length
  return `${isUp.length} of ${wanted.length} wanted gateways up; ${restarts} restarts, by ${deaths} kills of a container`
}
