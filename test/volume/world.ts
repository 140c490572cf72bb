/** Containers on one volume, and what happens to them in a history. */
import { Container, type Disk } from './container.ts'

export type Act =
  /** init, or the supervisor, reads its oldest message. */
  | { readonly do: 'init' | 'hear' | 'hooks' | 'stop' | 'slot-ends' | 'kill'; readonly who: number }
  /** One of the things that are waited for arrives. */
  | { readonly do: 'answer'; readonly who: number; readonly which: number }
  | { readonly do: 'crash'; readonly who: number; readonly taken: number }
  /** The supervisor dies after so many effects more. */
  | { readonly do: 'doom'; readonly who: number; readonly effects: number }
  | { readonly do: 'pass'; readonly ms: number }
  /** Alarms ring before the messages that are on their way have arrived. */
  | { readonly do: 'late'; readonly ms: number }
  | { readonly do: 'tamper'; readonly how: 'delete' | 'replace' | 'obstacle' }

export class World {
  readonly disk: Disk
  readonly all: Container[]
  /** Every container there ever was. */
  readonly ever: Container[] = []
  #names = 0

  constructor(hasLocks: boolean, containers = 2) {
    this.disk = {
      nowMs: 1_000,
      hasLocks,
      inode: 'gone',
      inodes: 0,
      text: 'free',
      lockedBy: new Map(),
      broken: [],
      tampered: false,
    }
    this.all = Array.from({ length: containers }, () => this.#start())
  }

  act(act: Act): void {
    switch (act.do) {
      case 'pass':
        this.pass(act.ms)
        break
      case 'late':
        this.disk.nowMs += act.ms
        for (const one of this.all) one.ring()
        break
      case 'tamper':
        this.#tamper(act.how)
        break
      case 'kill':
        this.#of(act.who).end()
        this.all[act.who] = this.#start()
        break
      case 'init':
        this.#of(act.who).initTakesOne()
        break
      case 'hear':
        this.#of(act.who).hearOne()
        break
      case 'hooks':
        this.#of(act.who).hooksDone()
        break
      case 'stop':
        this.#of(act.who).stop()
        break
      case 'slot-ends':
        this.#of(act.who).slotEnds()
        break
      case 'answer':
        this.#of(act.who).answerOne(act.which)
        break
      case 'crash':
        this.#of(act.who).crash(act.taken)
        break
      case 'doom':
        this.#of(act.who).supervisor.doom = act.effects
        break
    }
    this.#look()
  }

  /** Messages take no time compared with the alarms; answers of the volume may take any. */
  pass(ms: number): void {
    const untilMs = this.disk.nowMs + ms
    for (;;) {
      this.deliver()
      const next = Math.min(...this.all.map(({ nextAlarmMs }) => nextAlarmMs))
      if (next > untilMs) break
      this.disk.nowMs = Math.max(this.disk.nowMs, next)
      for (const one of this.all) one.ring()
      this.#look()
    }
    this.disk.nowMs = untilMs
  }

  deliver(): void {
    const waits = ({ ended, supervisor }: Container): boolean =>
      !ended && supervisor.inbox.length + supervisor.outbox.length > 0
    while (this.all.some(waits))
      for (const one of this.all) {
        one.initTakesOne()
        one.hearOne()
        this.#look()
      }
  }

  /** Everything arrives, and nothing interferes any more, for as long as it takes. */
  settle(): void {
    if (this.disk.inode === 'obstacle') this.disk.inode = 'gone'
    for (let s = 0; s < 150; s++) {
      for (const one of this.all) {
        one.supervisor.doom = Number.POSITIVE_INFINITY
        one.slotEnds()
        one.answerOne(0)
        one.answerOne(0)
        one.hooksDone()
      }
      this.pass(1_000)
    }
  }

  #of(who: number): Container {
    return this.all[who % this.all.length] as Container
  }

  #start(): Container {
    const container = new Container(`container-${++this.#names}`, this.disk)
    this.ever.push(container)
    return container
  }

  #tamper(how: 'delete' | 'replace' | 'obstacle'): void {
    this.disk.tampered = true
    this.disk.text = 'free'
    this.disk.inode = how === 'replace' ? ++this.disk.inodes : how === 'delete' ? 'gone' : 'obstacle'
  }

  #look(): void {
    if (this.disk.tampered) return
    const running = this.all.filter(({ runs }) => runs).map(({ name }) => name)
    if (running.length > 1) this.disk.broken.push(`${running.join(' and ')} run at once`)
  }
}
