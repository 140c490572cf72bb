import { join } from 'node:path'
import { INIT_PROTOCOL_VERSION, type ToInit } from '../protocol/init.ts'
import {
  type BootSide,
  type Ground,
  type InitParts,
  layGround,
  makeBoot,
  makeSlots,
  makeSupervisor,
  type Slots,
  type SupervisorSide,
} from './assembly.ts'
import { notifyListeners } from './processes/listeners.ts'
import type { SupervisorListener } from './programs/supervisor-process.ts'
import type { StoppedParts } from './shutdown.ts'
import { listenForSignals } from './signals.ts'

/** One life of a container: boot, supervise, stop. */
export class Init {
  readonly #ground: Ground
  readonly #side: SupervisorSide
  readonly #slots: Slots
  readonly #boot: BootSide
  /** Asked for since the last one began. */
  #repairs = 0

  constructor(parts: InitParts) {
    const ground = layGround(parts, { supervisor: () => this.#side?.supervisor, stopped: () => this.#stopped() })
    this.#ground = ground
    this.#side = makeSupervisor(ground, { listener: () => this.#listener })
    this.#slots = makeSlots(ground, this.#side)
    this.#boot = makeBoot(ground, this.#side, this.#slots)
    const { facts } = parts
    const { modeProblem, control } = ground.directories
    for (const note of facts.notes) ground.say('info', note)
    for (const warning of facts.warnings) ground.warn(warning)
    if (modeProblem !== undefined) ground.warn(modeProblem)
    if (typeof control === 'string') ground.warn(control)
  }

  /** Boots; what follows then comes from signals, the supervisor and the main program. */
  async boot(): Promise<void> {
    const { given, say, reaper, shutdown } = this.#ground
    const { options, native } = given
    listenForSignals({
      foreground: options.foreground,
      childEnded: () => reaper.scanSoon(),
      stop: () => void shutdown.begin(),
      interrupt: () => shutdown.interrupt(),
      reconcile: () => this.#side.supervisor.send({ type: 'reconcile' }),
      main: this.#boot.main,
      native,
      bug: (error) => say('error', `a bug in init: ${error instanceof Error ? error.stack : String(error)}`),
    })
    await this.#boot.boot.run()
  }

  #stopped(): StoppedParts {
    const { gates, main, hooks } = this.#boot
    const { children, services } = this.#slots
    const { exitCode } = this.#ground.directories
    return { children, services, supervisor: this.#side.supervisor, gates, main, hooks, ...(exitCode && { exitCode }) }
  }

  readonly #listener: SupervisorListener = {
    receive: (message) => this.#receive(message),
    eventAfter: (seq) => this.#slots.children.events.after(seq),
    gone: () => {
      this.#slots.children.forgetRequests()
      this.#boot.gates.begin.supervisorEnded()
    },
  }

  #receive(message: ToInit): void {
    switch (message.type) {
      case 'hello':
        this.#side.supervisor.restore(this.#side.memory.messages(), () => this.#welcome())
        return
      case 'spawn':
        this.#slots.children.spawn(message)
        return
      case 'signal':
        this.#slots.children.signal(message.child, message.signal, message.target)
        return
      case 'forget':
        this.#slots.children.forget(message.slot)
        return
      case 'letters':
        if (this.#ground.given.facts.dropped)
          notifyListeners(
            join(this.#ground.directories.run.paths.scanDir, message.slot),
            message.letters,
            this.#ground.given.facts.identity.uid,
          )
        return
      case 'ack':
        this.#slots.children.events.acknowledge(message.seq)
        return
      case 'shutdown':
        this.#ground.shutdown.stopWith(message.exitCode, message.reason)
        return
      case 'drained':
        this.#ground.shutdown.drained()
        return
      case 'booted':
        this.#boot.gates.profiles.pass()
        return
      case 'repair':
        void this.#repair()
        return
      case 'services-up':
        this.#boot.gates.main.pass()
        return
      case 'lease':
        void this.#boot.gates.begin.leaseCounted(message.state)
        return
      case 'keep':
      case 'pong':
        return // the link has seen to it
    }
  }

  #welcome(): void {
    const { begun, lease } = this.#boot.gates.begin
    this.#side.supervisor.send({
      type: 'welcome',
      v: INIT_PROTOCOL_VERSION,
      children: this.#slots.children.facts(),
      begun,
      lease,
      replay: this.#slots.children.events.unacknowledged().length,
      frozen: this.#ground.given.clock.frozen(),
    })
    // Before the replay: an exit in it must not lead to a start any more.
    if (this.#ground.shutdown.begun) this.#side.supervisor.send({ type: 'stop' })
    this.#side.supervisor.deliver()
    this.#ground.voice.catchUp()
  }

  /** One at a time: a supervisor with repeated requests keeps at most one program busy. */
  async #repair(): Promise<void> {
    this.#repairs += 1
    if (this.#repairs > 1) return
    let done = 0
    while (done < this.#repairs && this.#boot.gates.begin.begun && !this.#ground.shutdown.begun) {
      done = this.#repairs
      await this.#boot.repair()
    }
    this.#repairs = 0
    this.#side.supervisor.send({ type: 'repaired' })
  }
}
