import { closeSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'
import { INIT_PROTOCOL_VERSION, type ToInit } from '../protocol/init.ts'
import { unlessCode } from '../system/error-code.ts'
import {
  type BaseParts,
  type BootParts,
  type InitParts,
  makeBase,
  makeBoot,
  makeSlots,
  makeSupervisor,
  type SlotParts,
  type SupervisorParts,
} from './assembly.ts'
import { notifyListeners } from './processes/listeners.ts'
import type { SupervisorListener } from './programs/supervisor-process.ts'
import type { StoppedParts } from './shutdown.ts'
import { listenForSignals } from './signals.ts'

/** One life of a container: boot, supervise, stop. */
export class Init {
  readonly #base: BaseParts
  readonly #supervisor: SupervisorParts
  readonly #slots: SlotParts
  readonly #boot: BootParts
  /** Asked for since the last one began. */
  #repairs = 0

  constructor(parts: InitParts) {
    const base = makeBase(parts, { supervisor: () => this.#supervisor?.supervisor, stopped: () => this.#stopped() })
    this.#base = base
    this.#supervisor = makeSupervisor(base, { listener: () => this.#listener })
    this.#slots = makeSlots(base, this.#supervisor)
    this.#boot = makeBoot(base, this.#supervisor, this.#slots)
    const { facts } = parts
    const { modeProblem, control } = base.directories
    for (const note of facts.notes) base.log('info', note)
    for (const warning of facts.warnings) base.warn(warning)
    if (modeProblem !== undefined) base.warn(modeProblem)
    if (typeof control === 'string') base.warn(control)
  }

  /** Boots; what follows then comes from signals, the supervisor and the main program. */
  async boot(): Promise<void> {
    const { given, log, processes, reaper, shutdown } = this.#base
    const { options, native } = given
    listenForSignals({
      foreground: options.foreground,
      childEnded: () => {
        processes.collect()
        reaper.scanSoon()
      },
      stop: () => void shutdown.begin(),
      interrupt: () => shutdown.interrupt(),
      reconcile: () => this.#supervisor.supervisor.send({ type: 'reconcile' }),
      main: this.#boot.main,
      native,
      bug: (error) => log('error', `a bug in init: ${error instanceof Error ? error.stack : String(error)}`),
    })
    await this.#boot.boot.run()
  }

  #stopped(): StoppedParts {
    const { gates, main, hooks } = this.#boot
    const { children, services } = this.#slots
    const { exitCode, control, run } = this.#base.directories
    return {
      children,
      services,
      supervisor: this.#supervisor.supervisor,
      gates,
      main,
      hooks,
      ...(exitCode && { exitCode }),
      closeControl: () => {
        if (typeof control === 'number') closeSync(control)
        // The next init of this home may have another run directory; commands take the first place with a socket.
        if (run.layout === 'private')
          unlessCode(['ENOENT', 'EACCES', 'EPERM', 'EROFS'], () => unlinkSync(run.paths.controlSocket))
      },
    }
  }

  readonly #listener: SupervisorListener = {
    receive: (message) => this.#receive(message),
    eventAfter: (seq) => this.#slots.children.events.after(seq),
    gone: () => {
      this.#slots.children.forgetRequests()
      this.#boot.gates.volume.supervisorEnded()
    },
  }

  #receive(message: ToInit): void {
    switch (message.type) {
      case 'hello':
        this.#supervisor.supervisor.restore(this.#supervisor.states.messages(), () => this.#welcome())
        return
      case 'spawn':
        this.#slots.children.spawn(message)
        return
      case 'signal':
        this.#slots.children.signal(message.child, message.signal, message.target)
        return
      case 'forget':
        this.#slots.children.forget(message.slot)
        this.#slots.services.forget(message.slot)
        return
      case 'letters':
        if (this.#base.given.facts.dropped)
          notifyListeners(
            join(this.#base.directories.run.paths.scanDir, message.slot),
            message.letters,
            this.#base.given.facts.identity.uid,
          )
        return
      case 'ack':
        this.#slots.children.events.acknowledge(message.seq)
        return
      case 'shutdown':
        this.#base.shutdown.stopWith(message.exitCode, message.reason)
        return
      case 'drained':
        this.#base.shutdown.drained()
        return
      case 'booted':
        this.#boot.gates.profiles.pass()
        this.#base.manager.ready()
        return
      case 'repair':
        void this.#repair()
        return
      case 'unwall':
        void this.#unwall(message.profile)
        return
      case 'read-services':
        void this.#boot.serviceReload.read(message.request)
        return
      case 'apply-services':
        this.#boot.serviceReload.apply(message.request)
        return
      case 'services-up':
        this.#boot.gates.services.pass()
        return
      case 'lease':
        void this.#boot.gates.volume.leaseCounted(message.state)
        return
      case 'keep':
      case 'pong':
        return // the link has seen to it
    }
  }

  #welcome(): void {
    const { begun, lease } = this.#boot.gates.volume
    this.#supervisor.supervisor.send({
      type: 'welcome',
      v: INIT_PROTOCOL_VERSION,
      children: this.#slots.children.facts(),
      begun,
      lease,
      replay: this.#slots.children.events.unacknowledged().length,
      frozen: this.#base.given.clock.frozen(),
    })
    // Before the replay: an exit in it must not lead to a start any more.
    if (this.#base.shutdown.begun) this.#supervisor.supervisor.send({ type: 'stop' })
    this.#supervisor.supervisor.deliver()
    this.#base.initLog.catchUp()
  }

  async #unwall(profile: string): Promise<void> {
    const { walls } = this.#slots
    const problem = walls === undefined ? 'no profile is walled here' : await walls.takeDown(profile)
    this.#supervisor.supervisor.send({ type: 'unwalled', profile, ...(problem !== undefined && { problem }) })
  }

  /** One at a time: a supervisor with repeated requests keeps at most one program busy. */
  async #repair(): Promise<void> {
    this.#repairs += 1
    if (this.#repairs > 1) return
    let done = 0
    while (done < this.#repairs && this.#boot.gates.volume.begun && !this.#base.shutdown.begun) {
      done = this.#repairs
      await this.#boot.repair()
    }
    this.#repairs = 0
    this.#supervisor.supervisor.send({ type: 'repaired' })
  }
}
